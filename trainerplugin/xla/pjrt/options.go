package pjrt

import (
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// CompileOptions say how a program is compiled.
type CompileOptions struct {
	Device *Device // that it is to run on

	// Overrides set fields of xla.DebugOptions, as XLA_FLAGS does, by names
	// like "xla_gpu_cuda_data_dir". Values are of type string, bool, int64 or
	// float64. A plugin that does not know a name refuses to compile.
	Overrides map[string]any
}

// Fields of xla.CompileOptionsProto and of the messages within it
// (OpenXLA, xla/pjrt/proto/compile_options.proto).
const (
	fieldBuildOptions  = 3 // CompileOptionsProto.executable_build_options
	fieldOverrides     = 7 // CompileOptionsProto.env_option_overrides
	fieldDeviceOrdinal = 1 // ExecutableBuildOptionsProto
	fieldReplicas      = 4
	fieldPartitions    = 5
	fieldMapKey        = 1
	fieldMapValue      = 2
	fieldString        = 1 // OptionOverrideProto
	fieldBool          = 2
	fieldInt           = 3
	fieldDouble        = 4
)

// Encode writes o as an xla.CompileOptionsProto for one replica on one device.
func (o CompileOptions) Encode() []byte {
	var build []byte
	varint := func(b []byte, field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
	}
	bytes := func(b []byte, field protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
	}
	if o.Device != nil && o.Device.ID > 0 { // 0 is what is left out
		build = varint(build, fieldDeviceOrdinal, uint64(o.Device.ID))
	}
	build = varint(varint(build, fieldReplicas, 1), fieldPartitions, 1)
	message := bytes(nil, fieldBuildOptions, build)
	for _, name := range slices.Sorted(maps.Keys(o.Overrides)) {
		var value []byte
		switch v := o.Overrides[name].(type) {
		case string:
			value = bytes(nil, fieldString, []byte(v))
		case bool:
			value = varint(nil, fieldBool, protowire.EncodeBool(v))
		case int64:
			value = varint(nil, fieldInt, uint64(v))
		case float64:
			value = protowire.AppendFixed64(protowire.AppendTag(nil, fieldDouble, protowire.Fixed64Type), math.Float64bits(v))
		default:
			panic("pjrt: an override is a string, bool, int64 or float64")
		}
		message = bytes(message, fieldOverrides, bytes(bytes(nil, fieldMapKey, []byte(name)), fieldMapValue, value))
	}
	return message
}
