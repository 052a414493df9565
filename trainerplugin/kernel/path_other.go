//go:build !amd64

package kernel

// assembled is the paths written in assembly for this processor: none.
func assembled() []path { return nil }
