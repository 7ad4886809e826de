package pushfeed

// Conns is how many connections a server keeps.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Decode and ParseHead are for the fuzzer.
var (
	Decode    = decode
	ParseHead = func(b []byte) (id, method string, err error) {
		r, err := parseHead(b)
		return string(r.id), r.method, err
	}
)
