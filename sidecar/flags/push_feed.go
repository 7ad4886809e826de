package flags

import "github.com/urfave/cli/v2"

// Where blocks are pushed to, by `op-channels push-feed`.
var (
	PushFeed = &cli.BoolFlag{Name: "push-feed.enabled", EnvVars: env("PUSH_FEED_ENABLED"),
		Usage: "hear from `op-channels push-feed` of each block that the sequencer has built; without it the node's own pushes, or polling"}
	PushFeedAddr   = &cli.StringFlag{Name: "push-feed.addr", EnvVars: env("PUSH_FEED_ADDR"), Value: "127.0.0.1", Usage: "`ADDRESS` to hear it on; it serves nothing else"}
	PushFeedPort   = &cli.IntFlag{Name: "push-feed.port", EnvVars: env("PUSH_FEED_PORT"), Value: 9546, Usage: "`PORT` to hear it on; 0: any"}
	PushFeedSecret = &cli.StringFlag{Name: "push-feed.jwt-secret", EnvVars: env("PUSH_FEED_JWT_SECRET"),
		Usage: "`FILE` with 32 bytes in hex, as `op-channels push-feed` has with --jwt-secret; required when --push-feed.addr is beyond loopback"}
)

// PushFeedFlags are these flags.
func PushFeedFlags() []cli.Flag {
	return []cli.Flag{PushFeed, PushFeedAddr, PushFeedPort, PushFeedSecret}
}
