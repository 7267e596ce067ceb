package service

func teams() []Preset {
	all := []string{
		"/teams/**", "/chats/**", "/users/{id}/chats/**", "/users/{id}/teamwork/**", "/users/{id}/joinedTeams/**",
		"/groups/{id}/team/**", "/appCatalogs/teamsApps/**", "/teamwork/**",
	}
	inChannel, inChat := []string{"app", "tenant", "team", "channel"}, []string{"app", "tenant", "chat"}
	const channel, chat = " /teams/{team}/channels/{channel}/**", " /chats/{chat}/**"
	return []Preset{
		{
			Name:   "teams",
			Title:  "Teams: teams, channels and chats",
			Source: pageGraph,
			Note: "Rates that can be sustained are about 83 % of these. In all tenants together an app has 1500/s reads, " +
				"300/s writes and 150/s deletions. A user, whom an app without one does not have, has 1/s. Some resources " +
				"have more: a team 4/s reads, channel messages 20/s reads and 50/s writes of an app in a tenant; some " +
				"less: new teams 10/s, members 4/m for each team.",
			Limits: []Limit{
				perAppAndTenant("teams-reads", "reads of an app in a tenant", "30/s", on("GET", all)),
				perAppAndTenant("teams-writes", "writes of an app in a tenant", "30/s", on(posts, all)),
				perAppAndTenant("teams-deletions", "deletions of an app in a tenant", "15/s", on("DELETE", all)),
				perAppAndTenant("teams-new", "new teams of an app in a tenant", "10/s", []string{"POST /teams"}),
				{
					Name:   "teams-members",
					What:   "new members of a team",
					Rate:   "4/m",
					Per:    []string{"app", "tenant", "team"},
					Covers: []string{"POST /teams/{team}/members/**"},
				},
				{Name: "teams-channel-reads", What: "reads of an app in a channel", Rate: "1/s", Per: inChannel,
					Covers: []string{"GET" + channel}},
				{Name: "teams-channel-writes", What: "writes of an app in a channel", Rate: "1/s", Per: inChannel,
					Covers: []string{posts + channel}},
				{Name: "teams-chat-reads", What: "reads of an app in a chat", Rate: "1/s", Per: inChat,
					Covers: []string{"GET" + chat}},
				{Name: "teams-chat-writes", What: "writes of an app in a chat", Rate: "1/s", Per: inChat,
					Covers: []string{posts + chat}},
			},
			Service: Teams,
		},
		{
			Name:   "presence",
			Title:  "Presence",
			Source: pageGraph,
			Limits: []Limit{perAppAndTenant("presence", "requests of an app in a tenant", "10000/30s", on("ANY", []string{
				"/users/{id}/presence/**", "/communications/presences/**", "/communications/getPresencesByUserId",
			}))},
			Service: Presence,
		},
		{
			Name:   "calls",
			Title:  "Calls",
			Source: pageGraph,
			Limits: []Limit{perAppAndTenant("calls", "requests of an app in a tenant", "50000/15s",
				on("ANY", []string{"/communications/calls/**"}))},
			Service: Calls,
		},
		callRecords(),
	}
}

func callRecords() Preset {
	return Preset{
		Name:   "call-records",
		Title:  "Call records",
		Source: pageGraph,
		Note:   "In all tenants together an app has 15000/20s. All apps of a tenant share 10000/20s.",
		Limits: []Limit{
			perAppAndTenant("call-records", "requests of an app in a tenant", "1500/20s",
				on("ANY", []string{"/communications/callRecords/**"})),
			{
				Name:   "call-record",
				What:   "requests for one record",
				Rate:   "40/20s",
				Per:    []string{"tenant", "record"},
				Covers: on("ANY", []string{"/communications/callRecords/{record}/**"}),
			},
		},
		Service: CallRecords,
	}
}
