package search

import (
	"encoding/json"
	"math"
)

// durationPattern is what [time.ParseDuration] reads, less signs and bare zeros.
const durationPattern = `^([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+$`

// A schema is a JSON Schema, or a part of one.
type schema map[string]any

// Schema is the JSON Schema (draft 2020-12) of sweep files, for editors. It
// accepts every file that [Parse] accepts; mistakes that it cannot express,
// such as a batch larger than the data, are left to Parse.
func Schema() ([]byte, error) {
	root := format.schema()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "sweep file"
	root["description"] = "A grid of differentially private training runs; specified in sweeps/README.md"
	privacy := root["properties"].(schema)["privacy"].(schema)
	privacy["anyOf"] = []schema{{"required": []string{noises[0].name}}, {"required": []string{noises[1].name}}}
	var all []schema
	for _, h := range hypers {
		if !h.required {
			continue
		}
		ways := []schema{has("grid", h.name), has("fixed", h.name)}
		if h.name == "steps" {
			ways = append(ways, has("privacy", noises[0].name, noises[1].name))
		}
		all = append(all, schema{"anyOf": ways})
	}
	root["allOf"] = all
	return json.MarshalIndent(root, "", "  ")
}

// has wants a section that has the keys.
func has(section string, keys ...string) schema {
	return schema{
		"required":   []string{section},
		"properties": schema{section: schema{"required": keys}},
	}
}

// schema is the schema of d's value.
func (d def) schema() schema {
	s := d.one()
	if d.list {
		s = d.axisSchema(s)
	} else if d.may() {
		s = schema{"anyOf": append([]schema{s}, d.exprSchemas()...)}
	}
	s["description"] = d.doc
	if def, ok := d.fallbackJSON(); ok {
		s["default"] = def
	}
	return s
}

func (d def) fallbackJSON() (any, bool) {
	if d.fallback == "" || d.list || d.kind == mapping {
		return nil, false
	}
	switch d.kind {
	case integer, number:
		return json.Number(d.fallback), true
	case boolean:
		return d.fallback == "true", true
	}
	return d.fallback, true
}

// one is the schema of one value of d.
func (d def) one() schema {
	switch d.kind {
	case integer:
		return d.limits.bound(schema{"type": "integer"})
	case number:
		s := d.limits.bound(schema{"type": "number"})
		if d.inf {
			return schema{"anyOf": []schema{s, {"const": "inf"}}}
		}
		return s
	case duration:
		return schema{"type": "string", "pattern": durationPattern}
	case boolean:
		return schema{"type": "boolean"}
	case choice:
		return schema{"enum": d.choices}
	case words:
		return schema{"type": "array", "items": schema{"type": "string"}, "minItems": 1}
	case condition:
		return schema{"type": "string", "maxLength": maxWhere}
	case external:
		return schema{"type": []string{"number", "string", "boolean"}}
	case mapping:
		if k, ok := d.find(d.short); ok && d.short != "" {
			return schema{"anyOf": []schema{k.one(), d.mappingSchema()}}
		}
		return d.mappingSchema()
	}
	return schema{"type": "string", "pattern": d.pattern().String()}
}

func (d def) mappingSchema() schema {
	properties := schema{}
	for _, k := range d.keys {
		properties[k.name] = k.schema()
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if required := requiredNames(d); len(required) > 0 {
		s["required"] = required
	}
	if d.options {
		k, _ := d.find(optionPrefix + "any")
		s["patternProperties"] = schema{`^option\.[A-Za-z_][A-Za-z0-9_]{0,59}$`: k.schema()}
	}
	return s
}

// axisSchema is the schema of an axis of such values: a list or a generator.
func (d def) axisSchema(one schema) schema {
	forms := []schema{{"type": "array", "items": one, "minItems": 1, "maxItems": maxAxis, "uniqueItems": true}}
	if d.single {
		forms = append(forms, one)
	}
	if d.generates() {
		for _, name := range generatorNames {
			g := d.generatorDef(name)
			forms = append(forms, def{kind: mapping, keys: []def{g}}.one())
		}
	}
	if !d.may() {
		return schema{"anyOf": forms}
	}
	when := schema{
		"type": "object", "required": []string{"when", "values"}, "additionalProperties": false,
		"properties": schema{"when": schema{"type": "string"}, "values": schema{"anyOf": forms}, "else": one},
	}
	return schema{"anyOf": append(append(forms[:len(forms):len(forms)], d.exprSchemas()...), when)}
}

// exprSchemas are the schemas of a value that follows from others. Where that is a
// number the expression may stand alone.
func (d def) exprSchemas() []schema {
	forms := []schema{{
		"type": "object", "required": []string{"expr"}, "additionalProperties": false,
		"properties": schema{"expr": schema{"type": "string", "maxLength": maxWhere}},
	}}
	if d.kind == integer || d.kind == number {
		forms = append(forms, schema{"type": "string", "pattern": formulaText.String(), "maxLength": maxWhere})
	}
	return forms
}

// bound adds r to the schema of a number.
func (r interval) bound(s schema) schema {
	low, high := "minimum", "maximum"
	if r.openMin {
		low = "exclusiveMinimum"
	}
	if r.openMax {
		high = "exclusiveMaximum"
	}
	if !math.IsInf(r.min, 0) {
		s[low] = r.min
	}
	if !math.IsInf(r.max, 0) {
		s[high] = r.max
	}
	return s
}
