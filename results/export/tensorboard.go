package export

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"sweep"
	"sweep/results"
)

// TensorBoard writes an event file for each trial that was begun, in a folder of
// its own under dir (`tensorboard --logdir dir`): curves as scalars, and the
// hyper-parameters for the HParams page with the outcome as its metrics.
func TensorBoard(ctx context.Context, from Source, id sweep.SweepID, dir string) error {
	search, err := from.SearchCost(ctx, id)
	if err != nil {
		return err
	}
	for t, err := range trials(ctx, from, id) {
		if err != nil {
			return err
		}
		if t.Attempts == 0 {
			continue
		}
		if err := eventFile(ctx, from, search, t, filepath.Join(dir, folder(t))); err != nil {
			return fmt.Errorf("trial %s: %w", t.ID, err)
		}
	}
	return nil
}

// folder is what TensorBoard will show as the run's name.
func folder(t results.TrialRow) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, t.Label)
	return strings.TrimSpace(name) + " " + string(t.ID[:8])
}

func eventFile(ctx context.Context, from Source, search results.SearchCost, t results.TrialRow, dir string) error {
	full, err := from.Trial(ctx, string(t.ID))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	when := clockOf(full)
	path := filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%d.sweep", when.began.Unix()))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	buffered := bufio.NewWriter(f)
	w := eventWriter{buffered, when}
	if err := w.trial(ctx, from, search, t); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// An eventWriter writes TensorFlow's records of Event messages (event.proto and
// summary.proto of TensorBoard, plugin_data.proto of its HParams plugin).
type eventWriter struct {
	w    io.Writer
	when clock
}

func (w eventWriter) trial(ctx context.Context, from Source, search results.SearchCost, t results.TrialRow) error {
	version := protowire.AppendTag(nil, 3, protowire.BytesType) // file_version
	version = protowire.AppendString(version, "brain.Event:2")
	if err := w.event(0, version); err != nil {
		return err
	}
	start, err := sessionStart(t, search, w.when)
	if err != nil {
		return err
	}
	if err := w.hparams("_hparams_/session_start_info", 3, start); err != nil {
		return err
	}
	for m, err := range curves(ctx, from, t.ID) {
		if err != nil {
			return err
		}
		if m.Value == nil {
			continue
		}
		if err := w.scalar(m.Name, m.Step, *m.Value); err != nil {
			return err
		}
	}
	if o := t.Outcome; o != nil {
		if err := w.scalar("outcome/accuracy", int64(t.Params.Steps), o.Accuracy); err != nil {
			return err
		}
		if err := w.scalar("outcome/last_accuracy", int64(t.Params.Steps), o.LastAccuracy); err != nil {
			return err
		}
	}
	if t.TestAccuracy != nil {
		if err := w.scalar("outcome/test_accuracy", int64(t.Params.Steps), *t.TestAccuracy); err != nil {
			return err
		}
	}
	if t.Epsilon != 0 {
		if err := w.scalar("outcome/epsilon", int64(t.Params.Steps), float64(t.Epsilon)); err != nil {
			return err
		}
	}
	return w.hparams("_hparams_/session_end_info", 4, sessionEnd(t, w.when))
}

// scalar writes an Event with a Summary of one simple_value.
func (w eventWriter) scalar(tag string, step int64, value float64) error {
	v := protowire.AppendTag(nil, 1, protowire.BytesType)
	v = protowire.AppendString(v, tag)
	v = protowire.AppendTag(v, 2, protowire.Fixed32Type)
	v = protowire.AppendFixed32(v, math.Float32bits(float32(value)))
	return w.summary(step, v)
}

// hparams writes a Summary whose metadata carry the plugin's data: version 0 and
// the message of the given field.
func (w eventWriter) hparams(tag string, field protowire.Number, message []byte) error {
	content := protowire.AppendTag(nil, field, protowire.BytesType)
	content = protowire.AppendBytes(content, message)
	plugin := protowire.AppendTag(nil, 1, protowire.BytesType)
	plugin = protowire.AppendString(plugin, "hparams")
	plugin = protowire.AppendTag(plugin, 2, protowire.BytesType)
	plugin = protowire.AppendBytes(plugin, content)
	metadata := protowire.AppendTag(nil, 1, protowire.BytesType)
	metadata = protowire.AppendBytes(metadata, plugin)
	v := protowire.AppendTag(nil, 1, protowire.BytesType)
	v = protowire.AppendString(v, tag)
	v = protowire.AppendTag(v, 9, protowire.BytesType)
	v = protowire.AppendBytes(v, metadata)
	return w.summary(0, v)
}

func (w eventWriter) summary(step int64, value []byte) error {
	summary := protowire.AppendTag(nil, 1, protowire.BytesType)
	summary = protowire.AppendBytes(summary, value)
	what := protowire.AppendTag(nil, 5, protowire.BytesType)
	return w.event(step, protowire.AppendBytes(what, summary))
}

func (w eventWriter) event(step int64, what []byte) error {
	at := w.when.at(step)
	e := protowire.AppendTag(nil, 1, protowire.Fixed64Type)
	e = protowire.AppendFixed64(e, math.Float64bits(float64(at.UnixMicro())/1e6))
	e = protowire.AppendTag(e, 2, protowire.VarintType)
	e = protowire.AppendVarint(e, uint64(step))
	return writeRecord(w.w, append(e, what...))
}

// writeRecord frames a message as TFRecord files do: its length and the length's
// checksum, the message and its checksum.
func writeRecord(w io.Writer, message []byte) error {
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(message)))
	head = binary.LittleEndian.AppendUint32(head, masked(head))
	for _, part := range [][]byte{head, message, binary.LittleEndian.AppendUint32(nil, masked(message))} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func masked(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// sessionStart is a SessionStartInfo: hparams, a map from names to
// google.protobuf.Value, and when it began.
func sessionStart(t results.TrialRow, search results.SearchCost, when clock) ([]byte, error) {
	var m []byte
	for _, p := range params(t, search) {
		value, err := structpb.NewValue(exactly(p.value))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		text, err := proto.Marshal(value)
		if err != nil {
			return nil, err
		}
		pair := protowire.AppendTag(nil, 1, protowire.BytesType)
		pair = protowire.AppendString(pair, p.name)
		pair = protowire.AppendTag(pair, 2, protowire.BytesType)
		pair = protowire.AppendBytes(pair, text)
		m = protowire.AppendTag(m, 1, protowire.BytesType)
		m = protowire.AppendBytes(m, pair)
	}
	m = protowire.AppendTag(m, 4, protowire.BytesType)
	m = protowire.AppendString(m, string(t.Point)) // repeats are one group
	m = protowire.AppendTag(m, 5, protowire.Fixed64Type)
	return protowire.AppendFixed64(m, math.Float64bits(float64(when.began.UnixMicro())/1e6)), nil
}

// TensorBoard's numbers for how a session ended.
var sessionStatus = map[sweep.State]uint64{sweep.Completed: 1, sweep.Failed: 2, sweep.Running: 3}

// exactly has integers that a double would round, such as seeds, as text.
func exactly(value any) any {
	if n, ok := value.(int64); ok && int64(float64(n)) != n {
		return fmt.Sprint(n)
	}
	return value
}

func sessionEnd(t results.TrialRow, when clock) []byte {
	m := protowire.AppendTag(nil, 1, protowire.VarintType)
	m = protowire.AppendVarint(m, sessionStatus[t.State])
	m = protowire.AppendTag(m, 2, protowire.Fixed64Type)
	return protowire.AppendFixed64(m, math.Float64bits(float64(when.ended.UnixMicro())/1e6))
}
