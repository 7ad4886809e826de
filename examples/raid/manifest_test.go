package raid_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/examples/raid"
)

// TestManifest: the limits in the file are the ones that the package names.
func TestManifest(t *testing.T) {
	var m struct {
		FuelLimit uint64
		PageLimit uint32
		MaxEvents uint32
	}
	require.NoError(t, json.Unmarshal(raid.Manifest, &m))
	require.EqualValues(t, raid.FuelLimit, m.FuelLimit)
	require.EqualValues(t, raid.PageLimit, m.PageLimit)
	require.EqualValues(t, raid.MaxEvents, m.MaxEvents)
}
