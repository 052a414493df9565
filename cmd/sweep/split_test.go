package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// misleading makes an image folder of faint patterns, four in five of one class,
// whose test part has the labels the other way around. A step size too small to
// learn more than which class is frequent is right on four in five validation
// examples, and on half of the test examples; one that learns is right on all,
// and on none.
func misleading(t *testing.T, dir string) {
	t.Helper()
	for _, part := range []struct {
		name, class string
		examples    int
		left        uint8 // brightness of the left half; 255 less it is that of the right
	}{{"train", "frequent", 320, 140}, {"train", "rare", 80, 115}, {"test", "frequent", 20, 115}, {"test", "rare", 20, 140}} {
		folder := filepath.Join(dir, "data", "misleading", part.name, part.class)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range part.examples {
			img := image.NewGray(image.Rect(0, 0, 4, 4))
			for p := range img.Pix {
				if img.Pix[p] = part.left; p%4 >= 2 {
					img.Pix[p] = 255 - part.left
				}
			}
			img.Pix[0] += uint8(i % 4)
			var file bytes.Buffer
			if err := png.Encode(&file, img); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%03d.png", i)), file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

const misleadingGrid = `name: split
data: {name: "folder:misleading", train: 320, validation: 80}
model: linear
privacy: {epsilon: [8], delta: 1e-3, accountant: rdp, noise: seeded}
grid: {batch_size: [160], learning_rate: [1e-6, 2], steps: [40]}
run: {parallel: 2}
`

// The point that is best on validation examples is chosen although the other is
// better on the test part, whose figure stands beside it.
func TestTestFigureChoosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	misleading(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "split.yaml"), []byte(misleadingGrid), 0o600); err != nil {
		t.Fatal(err)
	}
	sweep := func(args ...string) string {
		t.Helper()
		cmd := sweepIn(dir, args...)
		cmd.Env = append(cmd.Env, "SWEEP_DATA_DIR="+filepath.Join(dir, "data"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("sweep %v: %v\n%s%s", args, err, out, stderr.String())
		}
		return string(out)
	}
	started := sweep("start", "split.yaml")
	if !strings.Contains(started, "test %") || !strings.Contains(started, "whose figure stands beside it and chose nothing") {
		t.Errorf("start says nothing of the test figure:\n%s", started)
	}
	type figure struct{ Accuracy float64 }
	type point struct {
		Params   struct{ Learning_rate float64 }
		Accuracy float64
		Test     *figure
	}
	var best, frontier struct{ Points []point }
	if err := errors.Join(json.Unmarshal([]byte(sweep("best", "-o", "json")), &best), json.Unmarshal([]byte(sweep("frontier", "-o", "json")), &frontier)); err != nil {
		t.Fatal(err)
	}
	if len(best.Points) != 2 || len(frontier.Points) != 1 || best.Points[0].Test == nil || best.Points[1].Test == nil || frontier.Points[0].Test == nil {
		t.Fatalf("best %+v, frontier %+v; want test figures", best, frontier)
	}
	first, other := best.Points[0], best.Points[1]
	if first.Params.Learning_rate != 2 || frontier.Points[0].Params.Learning_rate != 2 || first.Accuracy < 0.9 || first.Accuracy <= other.Accuracy {
		t.Errorf("chosen: %+v, on the frontier %+v; want learning rate 2, which has learned", first, frontier.Points[0])
	}
	if first.Test.Accuracy >= other.Test.Accuracy || first.Test.Accuracy > 0.1 {
		t.Errorf("test figures %+v and %+v: the test part does not mislead, and the test tests nothing", first.Test, other.Test)
	}
	rows, err := csv.NewReader(strings.NewReader(sweep("export"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for i, name := range rows[0] {
		found[name] = rows[1][i] + " " + rows[2][i]
	}
	if found["split"] != "validation validation" || len(strings.Fields(found["test_accuracy"])) != 2 {
		t.Errorf("exported: split %q, test_accuracy %q", found["split"], found["test_accuracy"])
	}
	sweep("verify")
}
