package ops_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// selector is a vector selector of an expression.
type selector struct {
	metric   string
	matchers []matcher
}

type matcher struct{ label, op, value string }

// promql reads the part of Prometheus's query language that the files here use: selectors, ranges, operators with matching,
// aggregations, functions. It refuses what it does not know. The grammar is prometheus.io/docs/prometheus/latest/querying.
type promql struct {
	tokens    []string
	at        int
	selectors []selector
	labelled  []string // labels that are grouped or matched by
}

var token = regexp.MustCompile(`^(?:\s+|(\d+[smhdwy](?:\d+[smhd])*|\d+(?:\.\d+)?|"(?:[^"\\]|\\.)*"|[a-zA-Z_:][a-zA-Z0-9_:]*|==|!=|>=|<=|=~|!~|[-+*/%^<>=(){}\[\],]))`)

var (
	duration = regexp.MustCompile(`^(\d+[smhdwy])+$`)
	number   = regexp.MustCompile(`^\d+(\.\d+)?$`)
	name     = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	// arguments of the functions: v an instant vector, r a range, n a number.
	functions  = map[string]string{"rate": "r", "increase": "r", "changes": "r", "min_over_time": "r", "max_over_time": "r", "histogram_quantile": "nv", "time": "", "absent": "v"}
	aggregates = []string{"sum", "min", "max", "avg", "count"}
	// operators by how strongly they bind.
	operators = [][]string{{"or"}, {"and", "unless"}, {"==", "!=", ">", "<", ">=", "<="}, {"+", "-"}, {"*", "/", "%"}}
)

var errPromQL = errors.New("no PromQL that is known here")

// parsePromQL reads an expression. An expression is a vector or a number, not a range.
func parsePromQL(expr string) (*promql, error) {
	p := &promql{}
	for rest := expr; rest != ""; {
		m := token.FindStringSubmatch(rest)
		if m == nil {
			return p, fmt.Errorf("%w: %q", errPromQL, rest)
		}
		if m[1] != "" {
			p.tokens = append(p.tokens, m[1])
		}
		rest = rest[len(m[0]):]
	}
	kind, err := p.binary(0)
	if err == nil && p.at != len(p.tokens) {
		err = fmt.Errorf("%w: %q is left over", errPromQL, strings.Join(p.tokens[p.at:], " "))
	}
	if err == nil && kind == "r" {
		err = fmt.Errorf("%w: a range is no result", errPromQL)
	}
	return p, err
}

func (p *promql) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *promql) take(want string) bool {
	if p.peek() != want {
		return false
	}
	p.at++
	return true
}

func (p *promql) expect(want string) error {
	if !p.take(want) {
		return fmt.Errorf("%w: %q where %q should be", errPromQL, p.peek(), want)
	}
	return nil
}

func (p *promql) binary(level int) (kind string, err error) {
	if level == len(operators) {
		return p.primary()
	}
	kind, err = p.binary(level + 1)
	for err == nil && slices.Contains(operators[level], p.peek()) {
		op := p.peek()
		p.at++
		if p.take("on") || p.take("ignoring") {
			if err = p.labels(); err != nil {
				break
			}
			if p.take("group_left") || p.take("group_right") {
				if err = p.labels(); err != nil {
					break
				}
			}
		}
		var right string
		right, err = p.binary(level + 1)
		switch {
		case err != nil:
		case kind == "r" || right == "r":
			err = fmt.Errorf("%w: %s of a range", errPromQL, op)
		case level < 2 && (kind == "n" || right == "n"):
			err = fmt.Errorf("%w: %s of a number", errPromQL, op)
		case right == "v":
			kind = "v"
		}
	}
	return kind, err
}

// labels is a list in parentheses.
func (p *promql) labels() error {
	if err := p.expect("("); err != nil {
		return err
	}
	for !p.take(")") {
		if !name.MatchString(p.peek()) {
			return fmt.Errorf("%w: %q is no label", errPromQL, p.peek())
		}
		p.labelled = append(p.labelled, p.peek())
		p.at++
		if !p.take(",") && p.peek() != ")" {
			return fmt.Errorf("%w: %q in a list of labels", errPromQL, p.peek())
		}
	}
	return nil
}

func (p *promql) primary() (kind string, err error) {
	t := p.peek()
	p.at++
	switch {
	case number.MatchString(t):
		return "n", nil
	case t == "(":
		if kind, err = p.binary(0); err != nil {
			return kind, err
		}
		return kind, p.expect(")")
	case slices.Contains(aggregates, t):
		return "v", p.aggregate()
	case name.MatchString(t) && p.peek() == "(":
		return p.call(t)
	case name.MatchString(t):
		return p.selector(t)
	}
	return "", fmt.Errorf("%w: %q", errPromQL, t)
}

func (p *promql) aggregate() error {
	if p.take("by") || p.take("without") {
		if err := p.labels(); err != nil {
			return err
		}
	}
	if err := p.expect("("); err != nil {
		return err
	}
	kind, err := p.binary(0)
	if err == nil && kind != "v" {
		err = fmt.Errorf("%w: an aggregation of what is no vector", errPromQL)
	}
	if err != nil {
		return err
	}
	return p.expect(")")
}

func (p *promql) call(function string) (string, error) {
	want, known := functions[function]
	if !known {
		return "", fmt.Errorf("%w: no function %s", errPromQL, function)
	}
	p.at++ // the parenthesis
	for i, w := range want {
		if i > 0 {
			if err := p.expect(","); err != nil {
				return "", err
			}
		}
		kind, err := p.binary(0)
		if err != nil {
			return "", err
		}
		if kind != string(w) {
			return "", fmt.Errorf("%w: argument %d of %s", errPromQL, i+1, function)
		}
	}
	if function == "time" {
		return "n", p.expect(")")
	}
	return "v", p.expect(")")
}

func (p *promql) selector(metric string) (string, error) {
	s := selector{metric: metric}
	if p.take("{") {
		for !p.take("}") {
			if p.at+2 >= len(p.tokens) {
				return "", fmt.Errorf("%w: the braces of %s are open", errPromQL, metric)
			}
			m := matcher{p.tokens[p.at], p.tokens[p.at+1], p.tokens[p.at+2]}
			if !name.MatchString(m.label) || !slices.Contains([]string{"=", "!=", "=~", "!~"}, m.op) || !strings.HasPrefix(m.value, `"`) {
				return "", fmt.Errorf("%w: %v in the braces of %s", errPromQL, m, metric)
			}
			m.value = strings.Trim(m.value, `"`)
			s.matchers = append(s.matchers, m)
			p.at += 3
			if !p.take(",") && p.peek() != "}" {
				return "", fmt.Errorf("%w: %q in the braces of %s", errPromQL, p.peek(), metric)
			}
		}
	}
	p.selectors = append(p.selectors, s)
	if !p.take("[") {
		return "v", nil
	}
	if !duration.MatchString(p.peek()) {
		return "", fmt.Errorf("%w: %q is no duration", errPromQL, p.peek())
	}
	p.at++
	return "r", p.expect("]")
}

// TestThePromQLReader: what it takes and what it refuses, so that the tests of the files mean something.
func TestThePromQLReader(t *testing.T) {
	found, err := parsePromQL(`histogram_quantile(0.99, sum by (le) (rate(a_bucket{x="1",y=~"b|c"}[5m]))) > 0.01 and d < on (i) sum by (i) (e)`)
	require.NoError(t, err)
	require.Equal(t, []selector{
		{"a_bucket", []matcher{{"x", "=", "1"}, {"y", "=~", "b|c"}}}, {metric: "d"}, {metric: "e"},
	}, found.selectors)
	require.Equal(t, []string{"le", "i", "i"}, found.labelled)
	for _, bad := range []string{
		``, `a >`, `a > > 1`, `rate(a)`, `rate(a[5m]`, `a[5m]`, `a[5]`, `a{x}`, `a{x=1}`, `a{x="1"`, `a{x="1" y="2"}`, `sum by a (b)`, `sum(1)`, `sum by (a) b`,
		`rate(a[5m], 1)`, `histogram_quantile(a, 1)`, `ratee(a[5m])`, `a b`, `a and 1`, `a & b`, `(a`, `a)`, `tim(1)`, `time(1)`, `rate(rate(a[5m])[5m])`, `a{x="1}`,
	} {
		_, err := parsePromQL(bad)
		require.ErrorIs(t, err, errPromQL, bad)
	}
}
