package console

import (
	"fmt"
	"strings"
	"time"
)

// The size of a chart in its own units; the page scales it.
const (
	chartWidth  = samples
	chartHeight = 72
)

// chart is a chart of the last hour, with the same in words and figures.
type chart struct {
	Title, Unit string
	Lines       []chartLine
	Since       string // what the left edge is
	Top         string // the value at the upper edge, with its unit
	Text        string // in words
	Rows        []chartRow
	Heads       []string // of the columns of Rows, besides the time
}

// chartLine is one line of a chart.
type chartLine struct {
	Name, Class string
	Points      string // for a polyline
}

// chartRow is what a chart shows for some minutes, in figures.
type chartRow struct {
	From  string
	Cells []string
}

// series is one line of a chart as figures: a value for each sample.
type series struct {
	name, class string
	of          func(sample) float64
}

// newChart draws samples, the newest at the right edge.
func newChart(title, unit string, all []sample, lines ...series) chart {
	c := chart{Title: title, Unit: unit, Since: "an hour ago"}
	shown := samples
	if len(all) <= fewSamples { // a console that was just started would show a thin line at the right edge
		shown, c.Since = fewSamples, "10 minutes ago"
	}
	top := 0.0
	for _, s := range all {
		for _, l := range lines {
			top = max(top, l.of(s))
		}
	}
	if top == 0 {
		top = 1
	}
	top = niceTop(top)
	c.Top = figure(top) + " " + unit
	var words []string
	for _, l := range lines {
		c.Heads = append(c.Heads, l.name)
		c.Lines = append(c.Lines, chartLine{l.name, l.class, points(all, l.of, top, shown)})
		words = append(words, l.name+" "+inWords(all, l.of))
	}
	c.Text = "The last hour, " + unit + ": " + strings.Join(words, "; ") + "."
	c.Rows = chartRows(all, lines)
	return c
}

// niceTop returns a round number that is not smaller than v, and more than 0.
func niceTop(v float64) float64 {
	step := 0.001
	for {
		for _, m := range [...]float64{1, 2, 5} {
			if step*m >= v {
				return step * m
			}
		}
		step *= 10
	}
}

// fewSamples are those of ten minutes.
const fewSamples = samples / 6

// points returns the corners of a line. The width of the chart stands for so many samples.
func points(all []sample, of func(sample) float64, top float64, shown int) string {
	var b strings.Builder
	for i, s := range all {
		x := chartWidth - (len(all)-1-i)*chartWidth/shown
		fmt.Fprintf(&b, "%d,%.1f ", x, chartHeight-of(s)/top*(chartHeight-2)-1)
	}
	return strings.TrimSpace(b.String())
}

func inWords(all []sample, of func(sample) float64) string {
	if len(all) == 0 {
		return "not known yet"
	}
	most := 0.0
	for _, s := range all {
		most = max(most, of(s))
	}
	return fmt.Sprintf("%s now, at most %s", figure(of(all[len(all)-1])), figure(most))
}

// figure writes a number with three digits that count.
func figure(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.3f", v), "0"), ".")
}

// chartRows are the means of five minutes each, newest first.
func chartRows(all []sample, lines []series) []chartRow {
	const each = int(5 * time.Minute / sampleEvery)
	var rows []chartRow
	for end := len(all); end > 0; end -= each {
		part := all[max(0, end-each):end]
		row := chartRow{From: part[0].at.UTC().Format("15:04")}
		for _, l := range lines {
			sum := 0.0
			for _, s := range part {
				sum += l.of(s)
			}
			row.Cells = append(row.Cells, figure(sum/float64(len(part))))
		}
		rows = append(rows, row)
	}
	return rows
}
