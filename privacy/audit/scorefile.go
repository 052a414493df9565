package audit

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// columns are those of a score file, in order.
var columns = []string{"canary", "included", "score"}

// unfair is how rarely fair coins fall as unevenly as those that are refused.
const unfair = 1e-9

// ReadScores reads a file of canaries, comma-separated, with the heading
//
//	canary,included,score
//
// canary is a name that no other has, included is true or false (or 1 or 0), and
// score is higher where the model looks more as if trained on the canary; "inf" and
// "-inf" are scores, "nan" is none. Errors name the line.
//
// Coins that fell too unevenly to be fair are an error too: the bounds would not
// hold. Fair ones are refused with a chance of 1e-9.
func ReadScores(r io.Reader) ([]Canary, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = len(columns)
	in.ReuseRecord = true
	head, err := in.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("read scores: the file is empty; its first line is %s", strings.Join(columns, ","))
	}
	if err != nil {
		return nil, fmt.Errorf("read scores: %w", err)
	}
	if !slices.Equal(head, columns) {
		return nil, fmt.Errorf("read scores: line 1 is %q; the heading is %s", strings.Join(head, ","), strings.Join(columns, ","))
	}
	var canaries []Canary
	lines := map[string]int{}
	for {
		row, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read scores: %w", err)
		}
		line, _ := in.FieldPos(0)
		if first, again := lines[row[0]]; again {
			return nil, fmt.Errorf("read scores: line %d: canary %q is also on line %d", line, row[0], first)
		}
		lines[strings.Clone(row[0])] = line
		c, err := readCanary(row)
		if err != nil {
			return nil, fmt.Errorf("read scores: line %d: %w", line, err)
		}
		canaries = append(canaries, c)
	}
	return canaries, checkCoins(canaries)
}

func readCanary(row []string) (Canary, error) {
	in, err := strconv.ParseBool(row[1])
	if err != nil {
		return Canary{}, fmt.Errorf("included is %q; it is true or false", row[1])
	}
	score, err := strconv.ParseFloat(row[2], 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // too large is infinite, which is a score
		return Canary{}, fmt.Errorf("score is %q; it is a number", row[2])
	}
	if math.IsNaN(score) {
		return Canary{}, fmt.Errorf("score is %q; give the canary the lowest, -inf, if it has none", row[2])
	}
	return Canary{score, in}, nil
}

func checkCoins(canaries []Canary) error {
	in := 0
	for _, c := range canaries {
		in += btoi(c.In)
	}
	n := len(canaries)
	if n == 0 {
		return fmt.Errorf("read scores: there are no canaries below the heading")
	}
	if 2*min(atLeast(n, 0.5, in), atLeast(n, 0.5, n-in)) < unfair {
		return fmt.Errorf("read scores: %d of %d canaries were included, which fair coins would hardly do; list those that were not trained on as well, and choose by coins", in, n)
	}
	return nil
}
