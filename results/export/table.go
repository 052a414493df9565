package export

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"reflect"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"sweep"
	"sweep/results"
)

// Rows yields the sweep's trials as rows of a table.
func Rows(ctx context.Context, from Source, id sweep.SweepID) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		search, err := from.SearchCost(ctx, id)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for t, err := range trials(ctx, from, id) {
			var r Row
			if err == nil {
				r, err = rowOf(id, search, t)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Curves yields everything that was measured while the sweep's trials trained.
func Curves(ctx context.Context, from Source, id sweep.SweepID) iter.Seq2[Measurement, error] {
	return func(yield func(Measurement, error) bool) {
		for t, err := range trials(ctx, from, id) {
			if err != nil {
				yield(Measurement{}, err)
				return
			}
			for m, err := range curves(ctx, from, t.ID) {
				if !yield(m, err) || err != nil {
					return
				}
			}
		}
	}
}

// CSV writes rows with a line of headings. Floats are exact, what is missing is
// empty, and an infinite epsilon is inf.
func CSV[T any](w io.Writer, rows iter.Seq2[T, error]) error {
	out := csv.NewWriter(w)
	kind := reflect.TypeFor[T]()
	fields := make([]string, kind.NumField())
	for i := range fields {
		fields[i], _, _ = strings.Cut(kind.Field(i).Tag.Get("json"), ",")
	}
	if err := out.Write(fields); err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		v := reflect.ValueOf(row)
		for i := range fields {
			fields[i] = cell(v.Field(i))
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func cell(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Float64:
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(v.Float(), 'g', -1, 64)), "+")
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Slice:
		return string(v.Bytes())
	}
	return v.String()
}

// JSONLines writes a JSON object for each row, on a line of its own.
func JSONLines[T any](w io.Writer, rows iter.Seq2[T, error]) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := enc.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

// rowGroup is how many rows Parquet's writer holds in memory before it writes them.
const rowGroup = 50_000

// Parquet writes rows as a Parquet file, compressed with Zstandard.
func Parquet[T any](w io.Writer, rows iter.Seq2[T, error]) error {
	out := parquet.NewGenericWriter[T](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(rowGroup))
	group := make([]T, 0, page)
	flush := func() error {
		_, err := out.Write(group)
		group = group[:0]
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if group = append(group, row); len(group) == cap(group) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return out.Close()
}

var _ Source = (*results.Reader)(nil)
