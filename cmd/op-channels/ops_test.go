package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/evmts/channels/sidecar/flags"
	"github.com/stretchr/testify/assert/yaml"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

var opsDir = filepath.Join("..", "..", "ops")

func opsFile(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{opsDir}, path...)...))
	require.NoError(t, err)
	return string(b)
}

// variables are the environment variables of all commands.
func variables() map[string]bool {
	out := map[string]bool{}
	for _, c := range newApp().Commands {
		for _, f := range c.Flags {
			if d, ok := f.(cli.DocGenerationFlag); ok {
				for _, v := range d.GetEnvVars() {
					out[v] = true
				}
			}
		}
	}
	return out
}

func requireVariables(t *testing.T, text string) {
	t.Helper()
	known := variables()
	for _, v := range regexp.MustCompile(flags.EnvVarPrefix+`_[A-Z0-9_]+`).FindAllString(text, -1) {
		require.True(t, known[v], "no command reads %s", v)
	}
}

const installedAt = "/usr/local/bin/op-channels"

// TestOpsUnits: the commands of the units exist with their flags, and systemd takes the units where it is installed.
func TestOpsUnits(t *testing.T) {
	units, err := filepath.Glob(filepath.Join(opsDir, "systemd", "*.service"))
	require.NoError(t, err)
	require.Len(t, units, 3)
	analyze, noSystemd := exec.LookPath("systemd-analyze")
	self, err := os.Executable()
	require.NoError(t, err)
	for _, unit := range units {
		b, err := os.ReadFile(unit)
		require.NoError(t, err)
		requireVariables(t, string(b))
		settings := map[string][]string{}
		section := ""
		for _, line := range strings.Split(string(b), "\n") {
			switch key, value, ok := strings.Cut(line, "="); {
			case line == "" || strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, "["):
				section = strings.Trim(line, "[]")
			default:
				require.True(t, ok, "%s: %s", unit, line)
				require.NotContains(t, value, " #", "%s: systemd has no comments behind a value: %s", unit, line)
				settings[section+"."+key] = append(settings[section+"."+key], value)
			}
		}
		require.Len(t, settings["Service.ExecStart"], 1)
		words := strings.Fields(settings["Service.ExecStart"][0])
		require.Equal(t, installedAt, words[0])
		require.NoError(t, known(newApp().Commands, words[1:]), unit)
		restart := "on-failure"
		if strings.Contains(unit, "push-feed") {
			restart = "always" // op-node waits for it
		}
		require.Equal(t, []string{restart}, settings["Service.Restart"])
		require.Equal(t, []string{"yes"}, settings["Service.DynamicUser"])
		require.Empty(t, settings["Service.MemoryDenyWriteExecute"], "modules are compiled to machine code")
		require.NotEmpty(t, settings["Install.WantedBy"])
		if noSystemd != nil {
			continue
		}
		here := filepath.Join(t.TempDir(), filepath.Base(unit)) // the program is not installed here; any that exists will do
		require.NoError(t, os.WriteFile(here, []byte(strings.ReplaceAll(string(b), installedAt, self)), 0o600))
		if socket, err := os.ReadFile(strings.TrimSuffix(unit, "service") + "socket"); err == nil { // the unit names it
			require.NoError(t, os.WriteFile(strings.TrimSuffix(here, "service")+"socket", socket, 0o600))
		}
		out, err := exec.CommandContext(t.Context(), analyze, "verify", here).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.NotContains(t, string(out), filepath.Base(unit), "systemd-analyze has something to say")
	}
}

// instruction is a line of a Dockerfile.
type instruction struct{ name, rest string }

func dockerfile(t *testing.T) (out []instruction) {
	t.Helper()
	for _, line := range strings.Split(strings.ReplaceAll(opsFile(t, "docker", "Dockerfile"), "\\\n", " "), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		require.Contains(t, []string{"FROM", "WORKDIR", "COPY", "RUN", "ARG", "ENV", "VOLUME", "EXPOSE", "USER", "HEALTHCHECK", "ENTRYPOINT", "CMD"}, name)
		require.NotEmpty(t, strings.TrimSpace(rest), name)
		out = append(out, instruction{name, strings.TrimSpace(rest)})
	}
	return out
}

// TestOpsDockerfile holds the image to the program: Go's version, stages, what it runs and what it asks for its health, its user. No
// engine builds it here.
func TestOpsDockerfile(t *testing.T) {
	text := opsFile(t, "docker", "Dockerfile")
	requireVariables(t, text)
	gomod, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(gomod))[1]
	stages, last := map[string]bool{}, map[string]string{}
	for i, in := range dockerfile(t) {
		require.True(t, i > 0 || in.name == "FROM")
		last[in.name] = in.rest
		switch in.name {
		case "FROM":
			words := strings.Fields(in.rest)
			require.NotContains(t, words[0], ":latest")
			require.Contains(t, words[0], ":", "an image without a version")
			if strings.HasPrefix(words[0], "golang:") {
				require.Contains(t, words[0], "golang:"+version+"-", "go.mod wants another Go")
			}
			if len(words) == 3 {
				stages[words[2]] = true
			}
		case "COPY":
			if m := regexp.MustCompile(`--from=(\S+)`).FindStringSubmatch(in.rest); m != nil {
				require.True(t, stages[m[1]], in.rest)
			}
		}
	}
	require.Contains(t, text, "-o /out/op-channels ./cmd/op-channels")
	require.Contains(t, text, "COPY --from=build /out/op-channels "+installedAt+"\n")
	require.Contains(t, text, "main.version=")
	require.NotContains(t, []string{"", "0", "root", "0:0"}, last["USER"])
	words := func(s string) (out []string) {
		require.NoError(t, json.Unmarshal([]byte(s), &out), s)
		return out
	}
	require.Equal(t, []string{installedAt}, words(last["ENTRYPOINT"]))
	require.NoError(t, known(newApp().Commands, words(last["CMD"])))
	_, check, ok := strings.Cut(last["HEALTHCHECK"], " CMD ")
	require.True(t, ok)
	require.Equal(t, installedAt, words(check)[0])
	require.NoError(t, known(newApp().Commands, words(check)[1:]))
	require.Equal(t, "9777 7300", last["EXPOSE"], "the ports of --p2p.listen and --metrics.port")
}

// TestOpsImageHasWhatGoNeeds: nothing that the program is built from is kept from the image.
func TestOpsImageHasWhatGoNeeds(t *testing.T) {
	var ignored []string
	for _, line := range strings.Fields(regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(opsFile(t, "docker", "Dockerfile.dockerignore"), "")) {
		require.Regexp(t, `^[.\w]+$`, line, "only folders at the top are understood here")
		ignored = append(ignored, line)
	}
	require.NotEmpty(t, ignored)
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{range .EmbedFiles}} {{.}}{{end}}{{end}}{{end}}`, ".")
	out, err := list.Output()
	require.NoError(t, err)
	packages := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Greater(t, len(packages), 10)
	for _, p := range packages {
		dir := strings.TrimPrefix(strings.Fields(p)[0], "github.com/evmts/channels/")
		top, _, _ := strings.Cut(dir, "/")
		require.NotContains(t, ignored, top, p)
	}
}

type compose struct {
	Services map[string]struct {
		Build struct {
			Context    string `yaml:"context"`
			Dockerfile string `yaml:"dockerfile"`
		} `yaml:"build"`
		Image       string            `yaml:"image"`
		Command     []string          `yaml:"command"`
		Environment map[string]string `yaml:"environment"`
		Ports       []string          `yaml:"ports"`
		Volumes     []string          `yaml:"volumes"`
		Secrets     []string          `yaml:"secrets"`
	} `yaml:"services"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
	Volumes map[string]any `yaml:"volumes"`
}

// yours are what an operator puts beside compose.yml, as its first lines say.
var yours = []string{"./op-channels.toml", "./modules", "./session.key"}

// TestOpsCompose: commands, variables, files and names fit each other and the program.
func TestOpsCompose(t *testing.T) {
	text := opsFile(t, "docker", "compose.yml")
	requireVariables(t, text)
	for _, path := range yours {
		require.Contains(t, text[:strings.Index(text, "\nname:")], strings.TrimPrefix(path, "./"), "the first lines say what to put there")
	}
	var c compose
	require.NoError(t, yaml.Unmarshal([]byte(text), &c))
	dir := filepath.Join(opsDir, "docker")
	mounts := map[string]string{} // in containers
	for name, s := range c.Services {
		if s.Build.Context != "" {
			require.FileExists(t, filepath.Join(dir, s.Build.Context, s.Build.Dockerfile))
			require.NoError(t, known(newApp().Commands, s.Command), name)
		} else {
			require.Regexp(t, `:v?\d+\.\d+\.\d+$`, s.Image, "an image without a version")
		}
		for _, port := range s.Ports {
			require.True(t, port == "9777:9777" || strings.HasPrefix(port, "127.0.0.1:"), "%s is reachable from elsewhere at %s", name, port)
		}
		for _, v := range s.Volumes {
			parts := strings.Split(v, ":")
			mounts[name+":"+parts[1]] = parts[0]
			switch {
			case !strings.HasPrefix(parts[0], "."):
				require.Contains(t, c.Volumes, parts[0], v)
			case !slices.Contains(yours, parts[0]):
				_, err := os.Stat(filepath.Join(dir, parts[0]))
				require.NoError(t, err, v)
			}
		}
		for _, secret := range s.Secrets {
			require.Contains(t, yours, c.Secrets[secret].File)
			require.Contains(t, strings.Join(s.Command, " "), "/run/secrets/"+secret)
		}
		for _, value := range s.Environment {
			require.Regexp(t, `^\$\{`, value, "a secret in the file")
		}
	}
	require.Contains(t, mounts, "sidecar:/data", "OP_CHANNELS_DATA_DIR of the image")

	var prom struct {
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			JobName string `yaml:"job_name"`
			Static  []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(opsFile(t, "prometheus", "prometheus.yml")), &prom))
	require.Equal(t, "../prometheus", mounts["prometheus:/etc/prometheus"])
	require.Equal(t, []string{"alerts.yml"}, prom.RuleFiles)
	require.FileExists(t, filepath.Join(opsDir, "prometheus", "alerts.yml"))
	require.Equal(t, "op-channels", prom.ScrapeConfigs[0].JobName, "the job that the alerts name")
	require.Equal(t, []string{"sidecar:7300"}, prom.ScrapeConfigs[0].Static[0].Targets)
	require.Contains(t, c.Services["sidecar"].Command, "--metrics.port=7300")
	require.Contains(t, c.Services["sidecar"].Command, "--metrics.addr=0.0.0.0")

	var provider struct {
		Providers []struct {
			Options struct {
				Path string `yaml:"path"`
			} `yaml:"options"`
		} `yaml:"providers"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(opsFile(t, "grafana", "provisioning", "dashboards", "op-channels.yml")), &provider))
	require.Equal(t, "../grafana/op-channels.json", mounts["grafana:"+provider.Providers[0].Options.Path+"/op-channels.json"])
	require.Contains(t, opsFile(t, "grafana", "provisioning", "datasources", "prometheus.yml"), "http://prometheus:9090")
}

// TestOpsConfigIsTheProgramsOwn: every option of the file exists, and a file that is not filled in does not start.
func TestOpsConfigIsTheProgramsOwn(t *testing.T) {
	key := filepath.Join(t.TempDir(), "session.key")
	require.NoError(t, os.WriteFile(key, []byte(strings.Repeat("01", 32)), 0o600))
	path := filepath.Join(opsDir, "op-channels.toml")
	_, code, err := op(t, "run", "--config", path, "--session-key", key, "--private-key", "0x"+strings.Repeat("02", 32))
	require.Equal(t, 1, code)
	require.ErrorContains(t, err, "--adjudicator is missing", "the address in the file is zero")
}
