package ops_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert/yaml"
	"github.com/stretchr/testify/require"
)

// series is what /metrics shows: label sets by metric.
type series map[string][]map[string]string

var (
	sampleLine = regexp.MustCompile(`(?m)^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$`)
	labelPair  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
)

func readSeries(text string) series {
	out := make(series)
	for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
		labels := map[string]string{}
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			labels[l[1]] = l[2]
		}
		out[m[1]] = append(out[m[1]], labels)
	}
	return out
}

// scraped are the labels that Prometheus adds to what it reads.
var scraped = []string{"job", "instance"}

// matches tells whether a selector finds a series.
func (s series) matches(sel selector) bool {
	return slices.ContainsFunc(s[sel.metric], func(labels map[string]string) bool {
		for _, m := range sel.matchers {
			if slices.Contains(scraped, m.label) {
				continue
			}
			value, there := labels[m.label]
			is := there && value == m.value
			if strings.HasSuffix(m.op, "~") {
				is = there && regexp.MustCompile("^(?:"+m.value+")$").MatchString(value)
			}
			if is == strings.HasPrefix(m.op, "!") {
				return false
			}
		}
		return true
	})
}

// query is an expression of a file, with the labels that texts beside it use.
type query struct {
	where, expr string
	labels      []string
}

// faults says what is wrong with a query, given what a sidecar shows.
func (s series) faults(q query) (out []string) {
	p, err := parsePromQL(q.expr)
	if err != nil {
		return []string{fmt.Sprintf("%s: %v: %s", q.where, err, q.expr)}
	}
	if len(p.selectors) == 0 {
		out = append(out, fmt.Sprintf("%s: looks at no metric: %s", q.where, q.expr))
	}
	known := slices.Clone(scraped)
	for _, sel := range p.selectors {
		if sel.metric == "up" { // Prometheus's own
			continue
		}
		if !s.matches(sel) {
			out = append(out, fmt.Sprintf("%s: no sidecar shows %v", q.where, sel))
		}
		for _, labels := range s[sel.metric] {
			for l := range labels {
				known = append(known, l)
			}
		}
	}
	for _, l := range append(p.labelled, q.labels...) {
		if !slices.Contains(known, l) {
			out = append(out, fmt.Sprintf("%s: nothing in it has a label %q", q.where, l))
		}
	}
	return out
}

type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

var inTemplate = regexp.MustCompile(`\{\{\s*\$labels\.([a-zA-Z_]+)\s*\}\}`)

func alerts(t *testing.T) (out []query) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("prometheus", "alerts.yml"))
	require.NoError(t, err)
	operators, err := os.ReadFile(filepath.Join("..", "docs", "operators.md"))
	require.NoError(t, err)
	var file rules
	require.NoError(t, yaml.Unmarshal(text, &file))
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			q := query{where: "alert " + r.Alert, expr: r.Expr}
			require.NotEmpty(t, r.Alert, g.Name)
			require.False(t, slices.ContainsFunc(out, func(o query) bool { return o.where == q.where }), "%s twice", r.Alert)
			require.Contains(t, []string{"warning", "critical"}, r.Labels["severity"], r.Alert)
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			require.NotEmpty(t, r.Annotations["action"], "%s: what to do?", r.Alert)
			require.Contains(t, string(operators), "`"+r.Alert+"`", "docs/operators.md says nothing of the alert")
			if r.For != "" {
				require.Regexp(t, duration, r.For, r.Alert)
			}
			for _, text := range r.Annotations {
				for _, m := range inTemplate.FindAllStringSubmatch(text, -1) {
					q.labels = append(q.labels, m[1])
				}
			}
			out = append(out, q)
		}
	}
	return out
}

type place struct{ X, Y, W, H int }

type dashboard struct {
	Templating struct {
		List []struct{ Name string } `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos place  `json:"gridPos"`
		Targets []struct {
			RefID        string `json:"refId"`
			Expr         string `json:"expr"`
			LegendFormat string `json:"legendFormat"`
		} `json:"targets"`
	} `json:"panels"`
}

var inLegend = regexp.MustCompile(`\{\{\s*([a-zA-Z_]+)\s*\}\}`)

func panels(t *testing.T) (out []query) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("grafana", "op-channels.json"))
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	variables := map[string]bool{"__rate_interval": true}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "panel id %d twice", p.ID)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, taken[at], "%s lies over another panel", p.Title)
				taken[at] = p.Title
			}
		}
		require.Equal(t, p.Type == "row", len(p.Targets) == 0, p.Title)
		for _, target := range p.Targets {
			for _, v := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				require.True(t, variables[v[1]], "%s: there is no variable %s", p.Title, v[0])
			}
			q := query{where: "panel " + p.Title, expr: strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*").Replace(target.Expr)}
			for _, m := range inLegend.FindAllStringSubmatch(target.LegendFormat, -1) {
				q.labels = append(q.labels, m[1])
			}
			out = append(out, q)
		}
	}
	return out
}

// TestEveryMetricOfTheFilesIsShownByARunningSidecar: each selector of the alerts and of the dashboard, with its labels, finds a series
// at a sidecar that has played a channel over a real chain, refused a proposal and lost its node.
func TestEveryMetricOfTheFilesIsShownByARunningSidecar(t *testing.T) {
	queries := append(alerts(t), panels(t)...)
	require.Greater(t, len(queries), 40)
	p := play(t)
	var faults []string
	require.Eventually(t, func() bool { // the node's failure shows when it is asked the next time
		shown := readSeries(p.metrics(t) + feedMetrics(t))
		faults = nil
		for _, q := range queries {
			faults = append(faults, shown.faults(q)...)
		}
		return len(faults) == 0
	}, 30*time.Second, 100*time.Millisecond, "%v", lazy(func() string { return strings.Join(faults, "\n") }))
}

// lazy is a text that is made when it is printed.
type lazy func() string

func (l lazy) String() string { return l() }

// TestFaultsAreFound: the comparison sees a metric, a label's value, a grouping and a legend that no sidecar has.
func TestFaultsAreFound(t *testing.T) {
	shown := readSeries("# HELP a_total b\na_total{kind=\"x\"} 3\nb 1e-05\n")
	require.Equal(t, series{"a_total": {{"kind": "x"}}, "b": {{}}}, shown)
	for expr, want := range map[string]int{
		`rate(a_total{kind="x",job="j"}[5m])`: 0, `sum by (kind, instance) (a_total)`: 0, `a_total{kind=~"x|y"}`: 0, `a_total{kind!="y"}`: 0, `up == 0`: 0,
		`c`: 1, `a_total{kind="y"}`: 1, `a_total{kind!="x"}`: 1, `a_total{other="x"}`: 1, `sum by (sort) (a_total)`: 1, `a_total >`: 1, `time() > 1`: 1,
	} {
		require.Len(t, shown.faults(query{expr: expr}), want, expr)
	}
	require.Len(t, shown.faults(query{expr: "b", labels: []string{"kind"}}), 1)
}
