package story

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/e2e/devnet"
)

const verifyTimeout = 60 * time.Second

// verify stops the sidecars and has a fresh process replay each one's journal.
func (t *teller) verify(ctx context.Context) error {
	for _, s := range t.d.Sidecars {
		t.sum.Checks.check(s.Name+" ran until it was stopped", equal(s.Running(), true))
	}
	t.sum.Checks.check("the sidecars stop in order", t.d.StopSidecars(ctx))
	for _, s := range t.d.Sidecars {
		j, err := VerifyJournal(ctx, t.d, s, t.sum.ChannelID)
		if err != nil {
			return err
		}
		t.sum.Journals = append(t.sum.Journals, j)
		want := Journal{s.Name, t.sum.ChannelID, t.sum.Events, t.sum.JournalRoot, t.sum.StateHash, true, true}
		t.sum.Checks.check("the journal of "+s.Name+" replays to the same root", equal(j, want))
	}
	return nil
}

// VerifyJournal replays a stopped sidecar's journal of one channel in a process of its own.
func VerifyJournal(ctx context.Context, d *devnet.Devnet, s *devnet.Sidecar, id common.Hash) (Journal, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.Options.Binary, "journal", "verify", "--json",
		"--data-dir", s.DataDir, "--module", filepath.Dir(d.ModuleFile()), "--channel", id.Hex())
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return Journal{}, fmt.Errorf("verify the journal of %s: %w", s.Name, errors.Join(err, errors.New(strings.TrimSpace(problems.String()))))
	}
	j := Journal{Name: s.Name}
	if err := json.Unmarshal(out.Bytes(), &j); err != nil {
		return Journal{}, fmt.Errorf("read what journal verify printed for %s: %w", s.Name, err)
	}
	return j, nil
}
