package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// usage is what a process has taken until a moment.
type usage struct {
	cpu     time.Duration // user and system
	written uint64        // bytes that went to the disk
	rss     uint64        // bytes in memory
	pss     uint64        // with its part of what is shared
	files   int           // open
}

// ticksPerSecond is USER_HZ, which Linux fixes for what it shows.
const ticksPerSecond = 100

// readProcess reads /proc. A process that has ended is an error.
func readProcess(pid int) (u usage, err error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return u, fmt.Errorf("read a process: %w", err)
	}
	// The second field is the program's name in parentheses, which may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 || fields[0][0] == 'Z' {
		return u, fmt.Errorf("process %d has ended", pid)
	}
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseUint(string(f), 10, 64)
		if err != nil {
			return u, fmt.Errorf("read %s/stat: %w", dir, err)
		}
		u.cpu += time.Duration(n) * time.Second / ticksPerSecond
	}
	u.rss, u.pss = sizeOf(dir+"/smaps_rollup", "Rss:")<<10, sizeOf(dir+"/smaps_rollup", "Pss:")<<10
	u.written = sizeOf(dir+"/io", "write_bytes:")
	if open, err := os.ReadDir(dir + "/fd"); err == nil {
		u.files = len(open)
	}
	return u, nil
}

// sizeOf finds a number in a file of /proc; 0: it is not there.
func sizeOf(path, name string) uint64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.ParseUint(f[0], 10, 64) // 0 when the kernel writes it in another way
				return n
			}
		}
	}
	return 0
}

// busy is the time that all processors of the machine together have worked.
func busy() (d time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	for i, f := range bytes.Fields(line)[1:] {
		if i == 3 || i == 4 || i > 6 { // idle, iowait; steal and guests count elsewhere
			continue
		}
		n, _ := strconv.ParseUint(string(f), 10, 64)
		d += time.Duration(n) * time.Second / ticksPerSecond
	}
	return d
}

// meter follows processes by name over their restarts.
type meter struct {
	mu    sync.Mutex
	names []string
	pid   map[string]func() int // 0: it does not run
	seen  map[string]int        // the process that was read last
	last  map[string]usage      // of that process
	past  map[string]usage      // of those before it
	peak  map[string]uint64     // pss
}

func newMeter() *meter {
	return &meter{
		pid: make(map[string]func() int), seen: make(map[string]int), last: make(map[string]usage), past: make(map[string]usage), peak: make(map[string]uint64),
	}
}

func (m *meter) add(name string, pid func() int) {
	m.names = append(m.names, name)
	m.pid[name] = pid
}

// meterEvery: what is killed is read at once before.
const meterEvery = 5 * time.Second

func (m *meter) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		m.read()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (m *meter) read() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range m.names {
		pid := m.pid[name]()
		if pid == 0 {
			continue
		}
		u, err := readProcess(pid)
		if err != nil {
			continue // between an end and a restart
		}
		if was := m.seen[name]; was != 0 && was != pid {
			past, last := m.past[name], m.last[name]
			m.past[name] = usage{cpu: past.cpu + last.cpu, written: past.written + last.written}
		}
		m.seen[name], m.last[name] = pid, u
		m.peak[name] = max(m.peak[name], u.pss)
	}
}

// reading is a moment of the machine.
type reading struct {
	at    time.Time
	busy  time.Duration
	usage map[string]usage // totals since the first start; memory is of now
}

func (m *meter) now() reading {
	m.read()
	m.mu.Lock()
	defer m.mu.Unlock()
	r := reading{at: time.Now(), busy: busy(), usage: make(map[string]usage)}
	for _, name := range m.names {
		u := m.last[name]
		u.cpu += m.past[name].cpu
		u.written += m.past[name].written
		r.usage[name] = u
	}
	return r
}

// Process is what a program took in a phase.
type Process struct {
	Name       string  `json:"name"`
	CPUSeconds float64 `json:"cpuSeconds"`
	Cores      float64 `json:"cores"` // CPU seconds per second
	RSS        uint64  `json:"rssBytes"`
	PSS        uint64  `json:"pssBytes"`
	Written    uint64  `json:"writtenBytes"`
	OpenFiles  int     `json:"openFiles"`
	Goroutines int     `json:"goroutines,omitempty"`
	LiveHeap   uint64  `json:"liveHeapBytes,omitempty"` // after a garbage collection
}

// Machine is what all programs together took, and what others on the machine did.
type Machine struct {
	Processors int       `json:"processors"`
	Seconds    float64   `json:"seconds"`
	Cores      float64   `json:"cores"`      // busy, of all processors
	OtherCores float64   `json:"otherCores"` // of them by programs that are not ours
	Processes  []Process `json:"processes"`  // ours
}

func (m *meter) between(from, to reading, processors int) Machine {
	span := to.at.Sub(from.at).Seconds()
	out := Machine{Processors: processors, Seconds: span, Cores: (to.busy - from.busy).Seconds() / span}
	out.OtherCores = out.Cores
	for _, name := range m.names {
		a, b := from.usage[name], to.usage[name]
		if b.rss == 0 {
			continue // did not run
		}
		cpu := (b.cpu - a.cpu).Seconds()
		out.Processes = append(out.Processes, Process{
			Name: name, CPUSeconds: cpu, Cores: cpu / span, RSS: b.rss, PSS: b.pss, Written: b.written - a.written, OpenFiles: b.files,
		})
		out.OtherCores -= cpu / span
	}
	return out
}
