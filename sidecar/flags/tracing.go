package flags

import (
	"github.com/evmts/channels/sidecar/tracing"
	"github.com/urfave/cli/v2"
)

// Where spans go.
var (
	TracingEnabled = &cli.BoolFlag{Name: "tracing.enabled", EnvVars: env("TRACING_ENABLED"),
		Usage: "send spans of events, objectives and transactions to an OpenTelemetry collector (OTLP over HTTP)"}
	TracingEndpoint = &cli.StringFlag{Name: "tracing.endpoint", EnvVars: env("TRACING_ENDPOINT"),
		Usage: "`URL` of the collector, /v1/traces when it has no path; without it OTEL_EXPORTER_OTLP_ENDPOINT, or http://127.0.0.1:4318. Other OTEL_EXPORTER_OTLP_* variables count too"}
	TracingSample = &cli.Float64Flag{Name: "tracing.sample", EnvVars: env("TRACING_SAMPLE"), Value: 0.01,
		Usage: "`SHARE` of the events and channels that are recorded, 0 to 1; by their ids, so that nodes with one share record the same ones"}
)

// Tracing are these flags.
func Tracing() []cli.Flag { return []cli.Flag{TracingEnabled, TracingEndpoint, TracingSample} }

// ReadTracing reads them.
func ReadTracing(ctx *cli.Context) tracing.Config {
	return tracing.Config{Enabled: ctx.Bool(TracingEnabled.Name), Endpoint: ctx.String(TracingEndpoint.Name), Sample: ctx.Float64(TracingSample.Name)}
}
