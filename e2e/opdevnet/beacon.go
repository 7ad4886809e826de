package opdevnet

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Beacon answers what op-node asks of L1's consensus layer at its start. There are no blobs, so that it has no other answer.
type Beacon struct {
	server http.Server
	url    string
}

// startBeacon serves on a port of loopback that the kernel picks.
func startBeacon(genesis, slot uint64) (*Beacon, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the beacon API: %w", err)
	}
	mux := http.NewServeMux()
	for path, data := range map[string]map[string]string{
		"/eth/v1/node/version":   {"version": "op-channels-devnet"},
		"/eth/v1/beacon/genesis": {"genesis_time": strconv.FormatUint(genesis, 10)},
		"/eth/v1/config/spec":    {"SECONDS_PER_SLOT": strconv.FormatUint(slot, 10)},
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"data": data}) // a client that is gone needs no answer
		})
	}
	b := &Beacon{server: http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, url: "http://" + l.Addr().String()}
	go func() { _ = b.server.Serve(l) }() // ends with Close
	return b, nil
}

// Close ends it.
func (b *Beacon) Close() error { return b.server.Close() }
