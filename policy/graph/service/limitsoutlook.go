package service

func outlook() []Preset {
	mailbox := on("ANY", []string{
		"/users/{id}/calendar/**", "/users/{id}/calendarGroups/**", "/users/{id}/calendars/**", "/users/{id}/calendarView/**",
		"/users/{id}/contactFolders/**", "/users/{id}/contacts/**", "/users/{id}/events/**", "/users/{id}/findMeetingTimes",
		"/users/{id}/getMailTips", "/users/{id}/inferenceClassification/**", "/users/{id}/mailboxSettings/**",
		"/users/{id}/mailFolders/**", "/users/{id}/messages/**", "/users/{id}/outlook/**", "/users/{id}/people/**",
		"/users/{id}/photo/**", "/users/{id}/photos/**", "/users/{id}/sendMail", "/users/{id}/todo/**",
		"/groups/{id}/calendar/**", "/groups/{id}/calendarView/**", "/groups/{id}/conversations/**", "/groups/{id}/events/**",
		"/groups/{id}/photo/**", "/groups/{id}/photos/**", "/groups/{id}/threads/**", "/places/{id}/**",
	})
	return []Preset{
		{
			Name:   "outlook",
			Title:  "Outlook: mail, calendars, contacts, photos, people, tasks and places",
			Source: pageGraph,
			Note: "150 MB of uploads to a mailbox in 5 minutes cannot be counted. A mailbox is known by what the request " +
				"calls it, so one that is called by name and by id has two buckets.",
			Limits: []Limit{{
				Name:        "mailbox",
				What:        "requests of an app to a mailbox, and how many at once",
				Rate:        "10000/10m",
				Concurrency: 4,
				Per:         []string{"app", "id"},
				Covers:      mailbox,
			}},
			Service: Outlook,
		},
		{
			Name:   "bookings",
			Title:  "Bookings",
			Source: pageGraph,
			Limits: []Limit{{
				Name:        "bookings",
				What:        "requests of an app to a business at once",
				Concurrency: 4,
				Per:         []string{"app", "id"},
				Covers:      on("ANY", []string{"/solutions/bookingBusinesses/{id}/**"}),
			}},
			Service: Bookings,
		},
	}
}

// files has the limits of SharePoint and OneDrive, and of services that store data there.
func files() []Preset {
	return []Preset{
		sharePoint(),
		{
			Name:   "search",
			Title:  "Search",
			Source: pageSharePoint,
			Limits: []Limit{{
				Name:   "search",
				What:   "queries of an app, in all tenants",
				Rate:   "25/s",
				Per:    []string{"app"},
				Covers: on("ANY", []string{"/search/query"}),
			}},
			Service: Other,
		},
		{
			Name:   "excel",
			Title:  "Excel: workbooks",
			Source: pageGraph,
			Note:   "In all tenants together an app has 5000/10s.",
			Limits: []Limit{perAppAndTenant("excel", "requests of an app in a tenant", "1500/10s", on("ANY", []string{
				"/drives/{drive}/items/{item}/workbook/**", "/drives/{drive}/root:/{path}:/workbook/**",
				"/drives/{drive}/root/workbook/**", "/users/{id}/drive/items/{item}/workbook/**",
				"/users/{id}/drive/root:/{path}:/workbook/**", "/groups/{id}/drive/items/{item}/workbook/**",
				"/groups/{id}/drive/root:/{path}:/workbook/**", "/sites/{site}/drive/items/{item}/workbook/**",
				"/sites/{site}/drive/root:/{path}:/workbook/**",
			}))},
			Service: Excel,
		},
		oneNote(),
	}
}

func sharePoint() Preset {
	paths := on("ANY", []string{
		"/drives/**", "/shares/**", "/sites/**", "/users/{id}/drive/**", "/users/{id}/drives/**",
		"/users/{id}/followedSites/**", "/groups/{id}/drive/**", "/groups/{id}/drives/**", "/groups/{id}/sites/**",
	})
	minute := perAppAndTenant("sharepoint", "resource units of an app in a tenant", "1250/m", paths)
	day := perAppAndTenant("sharepoint-day", "the same in a day", "1200000/24h", paths)
	minute.Unit, day.Unit = resourceUnits, resourceUnits
	return Preset{
		Name:   "sharepoint",
		Title:  "SharePoint and OneDrive: drives, sites, shares and lists",
		Source: pageSharePoint,
		Note: "Resource units by the licences of the tenant, a minute and a day: to 1000 1250/m and 1200000/24h, to 5000 " +
			"2500/m and 2400000/24h, to 15000 3750/m and 3600000/24h, to 50000 5000/m and 4800000/24h, more 6250/m and " +
			"6000000/24h. These are the first of them. All apps of a tenant share 18750/5m to 93750/5m, and 400 GB an " +
			"hour in each direction, which cannot be counted.",
		Limits: []Limit{
			minute,
			day,
			perAppAndTenant("sharepoint-sharing", "requests about sharing, of an app in a tenant", "300/5m", on("ANY", []string{
				"/drives/{drive}/items/{item}/permissions/**", "/drives/{drive}/items/{item}/invite",
				"/drives/{drive}/items/{item}/createLink", "/sites/{site}/permissions/**",
			})),
		},
		Service: Files,
	}
}

func oneNote() Preset {
	paths := on("ANY", []string{"/users/{id}/onenote/**", "/groups/{id}/onenote/**", "/sites/{id}/onenote/**"})
	return Preset{
		Name:   "onenote",
		Title:  "OneNote",
		Source: pageGraph,
		Note:   "Graph sends no Retry-After here.",
		Limits: []Limit{
			{
				Name:        "onenote",
				What:        "requests of an app in a minute, and how many at once",
				Rate:        "240/m",
				Concurrency: 20,
				Per:         []string{"app"},
				Covers:      paths,
			},
			{Name: "onenote-hour", What: "the same in an hour", Rate: "800/h", Per: []string{"app"}, Covers: paths},
		},
		Service: OneNote,
	}
}
