package lifecycle_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/evmts/channels/protocols"
	"github.com/stretchr/testify/require"
)

// watch compares an encoding of an objective before and after each Crank, and of the actions it gave when the next one is
// done: nothing may change under its holder.
type watch struct {
	cranks int
	acts   map[*node][]protocols.Action
	dumps  map[*node]string
}

func (w *watch) before(n *node) string {
	if w == nil {
		return ""
	}
	return dump(n.life)
}

func (w *watch) after(t testing.TB, n *node, before string, acts []protocols.Action, in protocols.Input) {
	if w == nil {
		return
	}
	w.cranks++
	require.Equal(t, before, dump(n.life), "%T changed the old objective", in)
	if old, ok := w.acts[n]; ok {
		require.Equal(t, w.dumps[n], dump(old), "%T changed the actions of the input before", in)
	}
	w.acts[n], w.dumps[n] = acts, dump(acts)
}

// dump writes a value with everything it holds, but not what is fixed for the channel's life.
func dump(v any) string {
	var b strings.Builder
	dumpValue(&b, reflect.ValueOf(v))
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		if name := v.Elem().Type().Name(); name == "Config" || name == "Rules" {
			b.WriteString(name)
			return
		}
		fmt.Fprintf(b, "*%s ", v.Elem().Type())
		dumpValue(b, v.Elem())
	case reflect.Struct:
		b.WriteByte('{')
		for i := range v.NumField() {
			b.WriteString(v.Type().Field(i).Name + ":")
			dumpValue(b, v.Field(i))
			b.WriteByte(' ')
		}
		b.WriteByte('}')
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			for i := range v.Len() {
				fmt.Fprintf(b, "%02x", v.Index(i).Uint())
			}
			return
		}
		b.WriteByte('[')
		for i := range v.Len() {
			dumpValue(b, v.Index(i))
			b.WriteByte(' ')
		}
		b.WriteByte(']')
	case reflect.Bool:
		fmt.Fprint(b, v.Bool())
	case reflect.String:
		b.WriteString(v.String())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		fmt.Fprint(b, v.Uint())
	case reflect.Int:
		fmt.Fprint(b, v.Int())
	default:
		panic("an objective holds a " + v.Kind().String())
	}
}

// TestR1_CrankLeavesTheOldObjective checks over random schedules that objectives are values.
func TestR1_CrankLeavesTheOldObjective(t *testing.T) {
	cranks := 0
	for _, opt := range []options{{n: 2}, {n: 3, independent: true, sequencer: 1}} {
		for seed := range 2 + seeds(1)/10 {
			w := &watch{acts: make(map[*node][]protocols.Action), dumps: make(map[*node]string)}
			randomSchedule(t, opt, int64(seed), w)
			cranks += w.cranks
		}
	}
	require.Greater(t, cranks, 1000)
	t.Logf("%d cranks", cranks)
}
