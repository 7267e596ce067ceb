package service

// office has the limits of reports on Microsoft 365 and of education.
func office() []Preset {
	announcements := on("ANY", []string{"/admin/serviceAnnouncement/**"})
	assignments := on("ANY", []string{"/education/classes/{id}/assignments/**", "/education/users/{id}/assignments/**"})
	return []Preset{
		{
			Name:   "reports",
			Title:  "Usage reports",
			Source: pageGraph,
			Note:   "Graph counts each report by itself; this counts all together. All apps of a tenant share 40/10m.",
			Limits: []Limit{perAppAndTenant("reports", "requests of an app in a tenant", "14/10m",
				on("ANY", []string{"/reports/**"}))},
			Service: UsageReports,
		},
		{
			Name:   "service-announcements",
			Title:  "Service announcements",
			Source: pageGraph,
			Limits: []Limit{
				perAppAndTenant("service-announcements", "requests of an app in a tenant, in a minute", "240/m", announcements),
				perAppAndTenant("service-announcements-hour", "the same in an hour", "800/h", announcements),
			},
			Service: Announcements,
		},
		{
			Name:   "education",
			Title:  "Education and its assignments",
			Source: pageGraph,
			Note:   "In all tenants together an app has 400000/20s.",
			Limits: []Limit{
				perAppAndTenant("education", "requests of an app in a tenant", "35000/10s", on("ANY", []string{"/education/**"})),
				perAppAndTenant("education-assignments", "requests about assignments, of an app in a tenant", "350/10s",
					assignments),
				perAppAndTenant("education-assignments-hour", "the same in an hour", "10000/h", assignments),
			},
			Service: Education,
		},
	}
}

// management has the limits of devices and security.
func management() []Preset {
	intune := []string{"/deviceManagement/**", "/deviceAppManagement/**"}
	return []Preset{
		{
			Name:   "intune",
			Title:  "Intune: management of devices and their apps",
			Source: pageGraph,
			Note: "All apps of a tenant share twice as much. Graph counts each part of Intune by itself; this counts all " +
				"together.",
			Limits: []Limit{
				perAppAndTenant("intune", "requests of an app in a tenant", "1000/20s", on("ANY", intune)),
				perAppAndTenant("intune-writes", "writes of an app in a tenant", "100/20s", on(writes, intune)),
			},
			Service: Intune,
		},
		{
			Name:   "windows365",
			Title:  "Windows 365: Cloud PCs",
			Source: pageGraph,
			Limits: []Limit{
				perAppAndTenant("windows365-lists", "lists of an app in a tenant", "90/m",
					[]string{"GET /deviceManagement/virtualEndpoint/cloudPCs"}),
				perAppAndTenant("windows365-reads", "single Cloud PCs that an app reads in a tenant", "270/m",
					[]string{"GET /deviceManagement/virtualEndpoint/cloudPCs/{id}"}),
			},
			Service: Intune,
		},
		{
			Name:   "security",
			Title:  "Security: alerts, secure scores and eDiscovery",
			Source: pageGraph,
			Limits: []Limit{
				perAppAndTenant("security", "requests of an app in a tenant", "150/m", on("ANY", []string{
					"/security/alerts/**", "/security/alerts_v2/**", "/security/secureScores/**",
					"/security/secureScoreControlProfiles/**",
				})),
				perAppAndTenant("ediscovery", "requests about eDiscovery cases, of an app in a tenant", "5/m",
					on("ANY", []string{"/security/cases/ediscoveryCases/**"})),
			},
			Service: Security,
		},
	}
}
