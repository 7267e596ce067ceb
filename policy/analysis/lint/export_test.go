package lint

// Way is a row of the table of ways round: the last name of the bounded path, and the other operation.
type Way struct{ Of, Method, By, Does, Source string }

// EveryWay returns the table.
func EveryWay() []Way {
	all := make([]Way, 0, len(everyWay))
	for _, w := range everyWay {
		all = append(all, Way{w.of, w.method.String(), w.by, w.does, w.source})
	}
	return all
}
