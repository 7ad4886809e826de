package load

import (
	"fmt"
	"io"
	"sort"
	"text/tabwriter"
)

const mib = 1 << 20

// Print writes the tables for people.
func (s *Summary) Print(w io.Writer) {
	st := s.Settings
	fmt.Fprintf(w, "\n%d channels, %d of them raids that are played, for %.0f s on %s; blocks of %.0f s\n", st.Channels, st.Raids, st.Seconds, st.Chain, st.BlockSeconds)
	fmt.Fprintf(w, "a raid's player takes %.1f s to choose, a channel beside them has an event every %.0f s\n\n", st.PaceSeconds, st.HeartbeatSecs)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	s.printBlocks(t)
	s.printMachine(t)
	s.printCost(t)
	t.Flush()
	e := s.Events
	fmt.Fprintf(w, "\n%d events acknowledged in the load, %.1f per second; final after p50 %.1f ms, p99 %.1f ms, max %.0f ms", e.Acknowledged, e.PerSecond, e.FinalAfter.P50, e.FinalAfter.P99, e.FinalAfter.Max)
	fmt.Fprintf(w, "\n%d raids ended, %d paid out and settled into the World\n", e.RaidsEnded, e.RaidsSettled)
	if r := s.Restart; r != nil {
		fmt.Fprintf(w, "%s was killed with %d channels: it answered %.1f s after its start, and had caught up after %.1f s; events that waited for it took up to %.1f s\n",
			r.Name, r.Channels, r.AnsweredSeconds, r.CaughtUpSeconds, e.WithTheKill.Max/1000)
	}
	if a := s.Audit; a != nil {
		fmt.Fprintf(w, "%d events acknowledged in all, %d lost; %d journals of %d channels replayed, %d of them in a process of their own, %d differ\n",
			a.Acknowledged, a.LostCount, a.Replayed, a.Channels, a.FreshProcess, len(a.Differ))
	}
	s.printWarnings(w)
	if s.Pace.Text != "" {
		word := "within the limit"
		if !s.Pace.OK {
			word = "ABOVE the limit"
		}
		fmt.Fprintf(w, "\n%s: %s\n", word, s.Pace.Text)
	}
}

func (s *Summary) printBlocks(t io.Writer) {
	fmt.Fprintln(t, "BLOCKS\tALONE BEFORE\tWITH LOAD\tALONE AFTER\tALONE, SAME GAS")
	row := func(name string, of func(c *Chain) string) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", name, of(&s.Before), of(&s.Load), of(&s.After), of(&s.Control))
	}
	row("built / expected", func(c *Chain) string { return fmt.Sprintf("%d / %.1f", c.Blocks.Built, c.Blocks.Expected) })
	row("interval, mean", func(c *Chain) string { return fmt.Sprintf("%.2f ms", c.Blocks.Interval.Mean) })
	row("interval, p99", func(c *Chain) string { return fmt.Sprintf("%.2f ms", c.Blocks.Interval.P99) })
	row("interval, max", func(c *Chain) string { return fmt.Sprintf("%.2f ms", c.Blocks.Interval.Max) })
	row("seen after its time, mean / p99", func(c *Chain) string { return fmt.Sprintf("%.1f / %.1f ms", c.Blocks.Delay.Mean, c.Blocks.Delay.P99) })
	row("late by half a block / slots missed", func(c *Chain) string { return fmt.Sprintf("%d / %d", c.Blocks.Late, c.Blocks.Missed) })
	row("gas per block", func(c *Chain) string {
		return fmt.Sprintf("%.0f", float64(c.Blocks.GasUsed)/max(float64(c.Blocks.Built), 1))
	})
	if s.Load.Sealing.Samples > 0 {
		row("op-node: sealing, mean / p99", func(c *Chain) string { return fmt.Sprintf("%.1f / %.1f ms", c.Sealing.Mean, c.Sealing.P99) })
		row("op-node: building above block time, mean", func(c *Chain) string { return fmt.Sprintf("%.1f ms", c.BuildingDiff.Mean) })
		row("op-node: sequencing errors", func(c *Chain) string { return fmt.Sprintf("%.0f", c.Errors) })
	}
	row("processors busy, of them by others", func(c *Chain) string {
		return fmt.Sprintf("%.2f of %d, %.2f", c.Machine.Cores, c.Machine.Processors, c.Machine.OtherCores)
	})
}

func (s *Summary) printMachine(t io.Writer) {
	fmt.Fprintln(t, "\nPROCESS WITH LOAD\tCPU\tMEMORY (PSS)\tDISK WRITTEN\tOPEN FILES")
	for _, p := range s.Load.Machine.Processes {
		fmt.Fprintf(t, "%s\t%.1f %%\t%.0f MiB\t%.1f MiB\t%d\n", p.Name, p.Cores*100, float64(p.PSS)/mib, float64(p.Written)/mib, p.OpenFiles)
	}
}

func (s *Summary) printCost(t io.Writer) {
	fmt.Fprintln(t, "\nSIDECAR\tHEAP PER CHANNEL\tPSS PER CHANNEL\tCPU PER CHANNEL\tCPU PER EVENT\tDISK PER EVENT\tCPU TO OPEN ONE")
	for _, c := range s.Cost {
		fmt.Fprintf(t, "%s\t%.1f KiB\t%.1f KiB\t%.0f µs/s\t%.0f µs\t%.1f KiB\t%.1f ms\n", c.Name, c.HeapPerChannel/1024, c.PSSPerChannel/1024,
			c.CPUPerChannel, c.CPUPerEvent, c.DiskPerEvent/1024, c.CPUPerOpening/1000)
	}
	for i, p := range s.Empty {
		if i < len(s.Opened) && i < len(s.Loaded) {
			o, l := s.Opened[i], s.Loaded[i]
			fmt.Fprintf(t, "%s: empty / all open / at the end\t%.0f / %.0f / %.0f MiB PSS\t%.0f / %.0f / %.0f MiB heap\t%d / %d / %d goroutines\n", p.Name,
				float64(p.PSS)/mib, float64(o.PSS)/mib, float64(l.PSS)/mib, float64(p.LiveHeap)/mib, float64(o.LiveHeap)/mib, float64(l.LiveHeap)/mib,
				p.Goroutines, o.Goroutines, l.Goroutines)
		}
	}
}

func (s *Summary) printWarnings(w io.Writer) {
	for _, l := range s.Logs {
		var texts []string
		for text, n := range l.Warnings {
			texts = append(texts, fmt.Sprintf("%d × %s", n, text))
		}
		sort.Strings(texts)
		for _, text := range texts {
			fmt.Fprintf(w, "warning of %s: %s\n", l.Name, text)
		}
	}
}
