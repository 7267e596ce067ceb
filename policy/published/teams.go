package published

func teams() []Service {
	all := []string{"/teams/**", "/chats/**", "/users/{id}/chats/**", "/users/{id}/teamwork/**", "/users/{id}/joinedTeams/**", "/groups/{id}/team/**", "/appCatalogs/teamsApps/**", "/teamwork/**"}
	return []Service{
		{
			Name: "teams", Title: "Teams: teams, channels and chats", Source: pageGraph,
			Note: "Rates that can be sustained are about 83 % of these. In all tenants together an app has 1500/s reads, " +
				"300/s writes and 150/s deletions. A user, whom an app without one does not have, has 1/s. Some resources " +
				"have more: a team 4/s reads, channel messages 20/s reads and 50/s writes of an app in a tenant; some " +
				"less: new teams 10/s, members 4/m for each team.",
			Limits: []Limit{
				{Name: "teams-reads", What: "reads of an app in a tenant", Rate: "30/s", Per: appTenant(), Covers: on("GET", all)},
				{Name: "teams-writes", What: "writes of an app in a tenant", Rate: "30/s", Per: appTenant(), Covers: on("POST,PUT,PATCH", all)},
				{Name: "teams-deletions", What: "deletions of an app in a tenant", Rate: "15/s", Per: appTenant(), Covers: on("DELETE", all)},
				{Name: "teams-new", What: "new teams of an app in a tenant", Rate: "10/s", Per: appTenant(), Covers: []string{"POST /teams"}},
				{Name: "teams-members", What: "new members of a team", Rate: "4/m", Per: []string{"app", "tenant", "team"}, Covers: []string{"POST /teams/{team}/members/**"}},
				{Name: "teams-channel-reads", What: "reads of an app in a channel", Rate: "1/s", Per: []string{"app", "tenant", "team", "channel"}, Covers: []string{"GET /teams/{team}/channels/{channel}/**"}},
				{Name: "teams-channel-writes", What: "writes of an app in a channel", Rate: "1/s", Per: []string{"app", "tenant", "team", "channel"}, Covers: []string{"POST,PUT,PATCH /teams/{team}/channels/{channel}/**"}},
				{Name: "teams-chat-reads", What: "reads of an app in a chat", Rate: "1/s", Per: []string{"app", "tenant", "chat"}, Covers: []string{"GET /chats/{chat}/**"}},
				{Name: "teams-chat-writes", What: "writes of an app in a chat", Rate: "1/s", Per: []string{"app", "tenant", "chat"}, Covers: []string{"POST,PUT,PATCH /chats/{chat}/**"}},
			},
		},
		{
			Name: "presence", Title: "Presence", Source: pageGraph,
			Limits: []Limit{{Name: "presence", What: "requests of an app in a tenant", Rate: "10000/30s", Per: appTenant(),
				Covers: on("ANY", []string{"/users/{id}/presence/**", "/communications/presences/**", "/communications/getPresencesByUserId"})}},
		},
		{
			Name: "calls", Title: "Calls", Source: pageGraph,
			Limits: []Limit{{Name: "calls", What: "requests of an app in a tenant", Rate: "50000/15s", Per: appTenant(), Covers: on("ANY", []string{"/communications/calls/**"})}},
		},
		{
			Name: "call-records", Title: "Call records", Source: pageGraph,
			Note: "In all tenants together an app has 15000/20s. All apps of a tenant share 10000/20s.",
			Limits: []Limit{
				{Name: "call-records", What: "requests of an app in a tenant", Rate: "1500/20s", Per: appTenant(), Covers: on("ANY", []string{"/communications/callRecords/**"})},
				{Name: "call-record", What: "requests for one record", Rate: "40/20s", Per: []string{"tenant", "record"}, Covers: on("ANY", []string{"/communications/callRecords/{record}/**"})},
			},
		},
	}
}
