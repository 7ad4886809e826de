package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// series are the values of a Prometheus endpoint, by name with labels.
type series map[string]float64

const (
	scrapeTimeout = 20 * time.Second // a profile of a large heap takes its time
	maxScrape     = 8 << 20
)

func fetch(ctx context.Context, url string) (body []byte, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxScrape))
	return body, resp.StatusCode, err
}

func scrape(ctx context.Context, url string) (series, error) {
	body, status, err := fetch(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("read metrics: %s answers %d", url, status)
	}
	out := make(series)
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("read metrics: %q: %w", line, err)
		}
		out[line[:i]] = v
	}
	return out, nil
}

// sum adds up all series of a name that have a label's value; an empty one stands for all.
func (s series) sum(name, label string) (total float64) {
	for key, v := range s {
		if (key == name || strings.HasPrefix(key, name+"{")) && strings.Contains(key, label) {
			total += v
		}
	}
	return total
}

// histogramBetween is what a histogram counted between two readings, in milliseconds. Quantiles lie within a bucket.
func histogramBetween(from, to series, name string) Spread {
	count := to.sum(name+"_count", "") - from.sum(name+"_count", "")
	if count <= 0 {
		return Spread{}
	}
	type bucket struct{ le, count float64 }
	var buckets []bucket
	for key, v := range to {
		rest, ok := strings.CutPrefix(key, name+"_bucket{le=\"")
		if !ok {
			continue
		}
		le, err := strconv.ParseFloat(strings.TrimSuffix(rest, "\"}"), 64)
		if err != nil {
			continue // +Inf parses; a bucket with more labels is none of op-node's
		}
		buckets = append(buckets, bucket{le, v - from[key]})
	}
	slices.SortFunc(buckets, func(a, b bucket) int {
		if a.le < b.le {
			return -1
		}
		return 1
	})
	at := func(q float64) float64 {
		was := bucket{le: 0}
		for i, b := range buckets {
			if b.count < q*count {
				was = b
				continue
			}
			if b.le > 1e9 { // +Inf: all that is known is the bound below
				return was.le * 1000
			}
			low := was.le
			if i == 0 && b.le <= 0 {
				low = b.le
			}
			return (low + (b.le-low)*(q*count-was.count)/max(b.count-was.count, 1)) * 1000
		}
		return 0
	}
	return Spread{
		Samples: int(count), Mean: (to.sum(name+"_sum", "") - from.sum(name+"_sum", "")) / count * 1000, P50: at(0.5), P99: at(0.99), Max: at(1),
	}
}

// Log is what a program's log had to say that is not good.
type Log struct {
	Name     string         `json:"name"`
	Errors   map[string]int `json:"errors"`
	Warnings map[string]int `json:"warnings"`
}

// readLog counts errors and warnings by their message.
func readLog(name, path string) (Log, error) {
	out := Log{name, make(map[string]int), make(map[string]int)}
	f, err := os.Open(path)
	if err != nil {
		return out, fmt.Errorf("read the log of %s: %w", name, err)
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadString('\n')
		for _, into := range []struct {
			level string
			count map[string]int
		}{{"error", out.Errors}, {"crit", out.Errors}, {"warn", out.Warnings}} {
			if strings.Contains(line, " lvl="+into.level+" ") {
				into.count[messageOf(line)]++
			}
		}
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			out.Errors[strings.TrimSpace(line)]++
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("read the log of %s: %w", name, err)
		}
	}
}

func messageOf(line string) string {
	_, rest, ok := strings.Cut(line, " msg=")
	if !ok {
		return strings.TrimSpace(line)
	}
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		if text, err := strconv.Unquote(quoted); err == nil {
			return text
		}
	}
	word, _, _ := strings.Cut(rest, " ")
	return strings.TrimSpace(word)
}
