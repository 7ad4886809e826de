package p2p

import (
	"slices"
	"testing"
	"time"
)

func benchPair(b *testing.B) (*node, *node) {
	x, y := pair(b)
	x.mustSend(y.Address(), "first")
	y.receive()
	y.mustSend(x.Address(), "first")
	x.receive()
	return x, y
}

// BenchmarkRoundTrip sends a message of 200 bytes there and back, one at a
// time, each acknowledged by its user on receipt. It prints percentiles of one
// way, which is half a round trip.
func BenchmarkRoundTrip(b *testing.B) {
	x, y := benchPair(b)
	body := make([]byte, 200)
	go func() {
		for in := range y.Inbound() {
			in.Ack()
			if y.Send(x.Address(), in.Body) != nil {
				return
			}
		}
	}()
	took := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		at := time.Now()
		if err := x.Send(y.Address(), body); err != nil {
			b.Fatal(err)
		}
		in := <-x.Inbound()
		in.Ack()
		took = append(took, time.Since(at)/2)
	}
	b.StopTimer()
	slices.Sort(took)
	for _, p := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}} {
		b.ReportMetric(float64(took[int(float64(len(took)-1)*p.q)])/1e3, p.name+"-us/one-way")
	}
}

// BenchmarkPipelined sends messages of 200 bytes in one direction as fast as
// the queue takes them.
func BenchmarkPipelined(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"200B", 200}, {"4KiB", 4 << 10}, {"256KiB", 256 << 10}} {
		b.Run(size.name, func(b *testing.B) {
			x, y := benchPair(b)
			body := make([]byte, size.bytes)
			b.SetBytes(int64(size.bytes))
			b.ReportAllocs()
			b.ResetTimer()
			at := time.Now()
			go func() {
				for sent := 0; sent < b.N; {
					if x.Send(y.Address(), body) == nil {
						sent++
						continue
					}
					time.Sleep(50 * time.Microsecond) // the queue is full
				}
			}()
			for range b.N {
				in := <-y.Inbound()
				in.Ack()
			}
			b.ReportMetric(float64(b.N)/time.Since(at).Seconds(), "msgs/s")
		})
	}
}
