package search

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// TestSchemaAgreesWithParse validates every file that has no mistakes, and
// the files with mistakes that a schema can express.
func TestSchemaAgreesWithParse(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	good, _ := filepath.Glob("../sweeps/*.yaml")
	for _, file := range append(good, "testdata/every-key.yaml", "testdata/aliases.yaml") {
		if err := valid(root, load(t, file), file); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{
		"not-a-mapping", "everything-missing", "unknown-keys", "misplaced-keys", "misspelt-required", "wrong-types", "wrong-scalars",
		"names", "numbers-out-of-range", "huge-integer", "noise-multiplier", "no-noise", "choices", "scalar-in-grid",
		"list-in-fixed", "empty-axes", "repeated-values", "missing-hyper-parameters", "generator-keys", "trainer", "trainer-keys",
		"trainer-missing", "option-names", "where-number", "durations", "durations-more", "run", "run-gpus",
	} {
		file := "testdata/" + name + ".bad.yaml"
		if valid(root, load(t, file), file) == nil {
			t.Errorf("%s: the schema has no complaint", file)
		}
	}
}

// TestSchemaIsComplete wants each key with its meaning, for editors to show.
func TestSchemaIsComplete(t *testing.T) {
	var walk func(d def, s schema, path string)
	walk = func(d def, s schema, path string) {
		if s["description"] != d.doc {
			t.Errorf("%s: description %q, want %q", path, s["description"], d.doc)
		}
		if d.short != "" {
			s = s["anyOf"].([]schema)[1]
		}
		for _, k := range d.keys {
			sub, ok := s["properties"].(schema)[k.name].(schema)
			if !ok {
				t.Errorf("%s: missing", join(path, k.name))
				continue
			}
			walk(k, sub, join(path, k.name))
		}
	}
	walk(format, format.schema(), "")
}

func load(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

// valid checks v by the keywords of JSON Schema that our schema uses; one that
// it does not know is an error.
func valid(s map[string]any, v any, path string) error {
	for keyword, want := range s {
		ok, known := true, true
		switch keyword {
		case "$schema", "title", "description", "default", "additionalProperties", "patternProperties":
		case "type":
			ok = isType(want, v)
		case "const":
			ok = v == want
		case "enum":
			ok = false
			for _, w := range want.([]any) {
				ok = ok || v == w
			}
		case "allOf", "anyOf", "oneOf":
			ok = combined(keyword, want.([]any), v, path)
		case "properties":
			if err := validObject(s, v, path); err != nil {
				return err
			}
		case "required":
			if m, isMap := v.(map[string]any); isMap {
				for _, key := range want.([]any) {
					_, has := m[key.(string)]
					ok = ok && has
				}
			}
		case "items":
			if list, isList := v.([]any); isList {
				for i, item := range list {
					if err := valid(want.(map[string]any), item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
						return err
					}
				}
			}
		default:
			ok, known = validSize(keyword, want, v)
		}
		if !known {
			return fmt.Errorf("%s: keyword %s is unknown", path, keyword)
		}
		if !ok {
			return fmt.Errorf("%s: %v fails %s %v", path, v, keyword, want)
		}
	}
	return nil
}

// validSize checks the keywords that compare sizes or match text.
func validSize(keyword string, want, v any) (ok, known bool) {
	limit, _ := want.(float64)
	switch keyword {
	case "minimum":
		return !isNumber(v) || toFloat(v) >= limit, true
	case "maximum":
		return !isNumber(v) || toFloat(v) <= limit, true
	case "exclusiveMinimum":
		return !isNumber(v) || toFloat(v) > limit, true
	case "exclusiveMaximum":
		return !isNumber(v) || toFloat(v) < limit, true
	case "pattern":
		text, isText := v.(string)
		return !isText || regexp.MustCompile(want.(string)).MatchString(text), true
	case "maxLength":
		text, _ := v.(string)
		return utf8.RuneCountInString(text) <= int(limit), true
	}
	list, isList := v.([]any)
	switch keyword {
	case "minItems":
		return !isList || len(list) >= int(limit), true
	case "maxItems":
		return !isList || len(list) <= int(limit), true
	case "uniqueItems":
		for i, a := range list {
			for _, b := range list[:i] {
				if reflect.DeepEqual(a, b) || isNumber(a) && isNumber(b) && toFloat(a) == toFloat(b) {
					return false, true
				}
			}
		}
		return true, true
	}
	return false, false
}

func combined(keyword string, schemas []any, v any, path string) bool {
	n := 0
	for _, s := range schemas {
		if valid(s.(map[string]any), v, path) == nil {
			n++
		}
	}
	return keyword == "allOf" && n == len(schemas) || keyword == "anyOf" && n > 0 || keyword == "oneOf" && n == 1
}

func validObject(s map[string]any, v any, path string) error {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	patterns, _ := s["patternProperties"].(map[string]any)
	for key, value := range m {
		sub, known := s["properties"].(map[string]any)[key].(map[string]any)
		for pattern, p := range patterns {
			if regexp.MustCompile(pattern).MatchString(key) {
				sub, known = p.(map[string]any), true
			}
		}
		if !known && s["additionalProperties"] == false {
			return fmt.Errorf("%s: %s is no property", path, key)
		}
		if err := valid(sub, value, join(path, key)); err != nil {
			return err
		}
	}
	return nil
}

func isType(want, v any) bool {
	if names, ok := want.([]any); ok {
		for _, name := range names {
			if isType(name, v) {
				return true
			}
		}
		return false
	}
	switch want {
	case "integer":
		return isNumber(v) && toFloat(v) == math.Trunc(toFloat(v))
	case "number":
		return isNumber(v)
	}
	kinds := map[string]reflect.Kind{"string": reflect.String, "boolean": reflect.Bool, "array": reflect.Slice, "object": reflect.Map}
	return v != nil && reflect.TypeOf(v).Kind() == kinds[want.(string)]
}

func isNumber(v any) bool {
	return v != nil && strings.Contains("int int64 uint64 float64", reflect.TypeOf(v).String())
}

func toFloat(v any) float64 { return reflect.ValueOf(v).Convert(reflect.TypeFor[float64]()).Float() }
