package flags

import (
	"fmt"
	"strings"

	opsigner "github.com/ethereum-optimism/optimism/op-service/signer"
	optls "github.com/ethereum-optimism/optimism/op-service/tls"
	"github.com/evmts/channels/sidecar/signer"
	"github.com/urfave/cli/v2"
)

// attestorSigner begins the names of the attestor's signer; those of the owner's begin with signer., as in op-service.
const attestorSigner = "attestor."

var methodUsage = fmt.Sprintf("JSON-RPC `METHOD` that asks for a signature over typed data: %s, or %s, which tries them in this order", strings.Join(signer.Methods, ", "), signer.Auto)

// How the signers are asked for typed data.
var (
	SignerMethod = &cli.StringFlag{Name: "signer.typed-data-method", EnvVars: env("SIGNER_TYPED_DATA_METHOD"), Value: signer.Auto,
		Usage: "for the owner's consents, " + methodUsage}
	AttestorSignerMethod = &cli.StringFlag{Name: attestorSigner + "signer.typed-data-method", EnvVars: env("ATTESTOR_SIGNER_TYPED_DATA_METHOD"), Value: signer.Auto,
		Usage: "for attestations, " + methodUsage}
)

// Signers are the flags of the remote signers, beside those of op-service for the owner's, which are among the transaction manager's.
func Signers() []cli.Flag {
	prefix := EnvVarPrefix + "_ATTESTOR"
	out := []cli.Flag{SignerMethod, AttestorSignerMethod,
		&cli.StringFlag{Name: attestorSigner + opsigner.EndpointFlagName, EnvVars: env("ATTESTOR_SIGNER_ENDPOINT"),
			Usage: "`URL` of the remote signer that holds the attestor key, instead of --attestor-key"},
		&cli.StringFlag{Name: attestorSigner + opsigner.AddressFlagName, EnvVars: env("ATTESTOR_SIGNER_ADDRESS"), Usage: "`ADDRESS` of the attestor key in that signer"},
		&cli.StringSliceFlag{Name: attestorSigner + opsigner.HeadersFlagName, EnvVars: env("ATTESTOR_SIGNER_HEADER"), Usage: "`key=value` header for that signer, may be repeated"},
	}
	return append(out, optls.CLIFlagsWithFlagPrefix(prefix+"_SIGNER", attestorSigner+"signer", "")...)
}

// prefixed reads op-service's names as those of the attestor.
type prefixed struct{ *cli.Context }

func (p prefixed) String(name string) string { return p.Context.String(attestorSigner + name) }
func (p prefixed) StringSlice(name string) []string {
	return p.Context.StringSlice(attestorSigner + name)
}
func (p prefixed) Bool(name string) bool { return p.Context.Bool(attestorSigner + name) }

// ReadAttestorSigner reads the attestor's signer.
func ReadAttestorSigner(ctx *cli.Context) signer.Config {
	return signer.Config{CLIConfig: opsigner.ReadCLIConfig(prefixed{ctx}), Method: ctx.String(AttestorSignerMethod.Name)}
}
