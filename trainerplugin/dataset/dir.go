package dataset

import (
	"os"
	"path/filepath"
)

// DefaultDir is where data sets are looked for if nobody says otherwise:
// $SWEEP_DATA_DIR, else sweep/data in the user's XDG data directory
// ($XDG_DATA_HOME, else ~/.local/share). It is "" where there is no home.
func DefaultDir() string {
	if dir := os.Getenv("SWEEP_DATA_DIR"); dir != "" {
		return dir
	}
	// The XDG specification has relative paths ignored.
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "sweep", "data")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", "sweep", "data")
}
