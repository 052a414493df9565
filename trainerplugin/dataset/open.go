package dataset

import (
	"context"
	"fmt"
	"strings"

	"sweep"
)

// Open reads the data set want.Name. "glyphs" is rendered with want.Train +
// want.Validation training images and [GlyphTest] test images; every other set
// is read whole from dir, whatever sizes are wanted, and [Set.Split] checks them.
//
// An error wraps [ErrUnknown] if there is no data set of that name, [ErrMissing]
// if its files are not below dir, and is or holds a [FileError] if one of them
// is damaged. Open stops with context.Cause(ctx) soon after ctx ends.
func Open(ctx context.Context, dir string, want sweep.Data) (*Set, error) {
	s, err := open(ctx, dir, want)
	if err != nil {
		return nil, err
	}
	return s, s.check()
}

func open(ctx context.Context, dir string, want sweep.Data) (*Set, error) {
	if want.Name == "glyphs" {
		return Glyphs(ctx, want.Train+want.Validation, GlyphTest)
	}
	if l := listed(want.Name); l != nil {
		return l.openIn(ctx, dir)
	}
	if strings.HasPrefix(want.Name, folderPrefix) {
		return openFolder(ctx, dir, want.Name)
	}
	return nil, unknown(want.Name)
}

func unknown(name string) error {
	return fmt.Errorf("%w %q; have %s, %sNAME", ErrUnknown, name, strings.Join(Names(), ", "), folderPrefix)
}

// Locate looks for the files of a data set below dir without reading them. Its
// errors are those of [Open], but for damaged files.
func Locate(dir, name string) error {
	if name == "glyphs" {
		return nil
	}
	if l := listed(name); l != nil {
		_, err := l.find(dir)
		return err
	}
	if !strings.HasPrefix(name, folderPrefix) {
		return unknown(name)
	}
	f, err := parseFolder(name)
	if err != nil {
		return err
	}
	_, err = f.find(dir)
	return err
}

// openIn reads l from below dir.
func (l *listing) openIn(ctx context.Context, dir string) (*Set, error) {
	at, err := l.find(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", l.name, err)
	}
	s, err := l.read(ctx, l, at)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", l.name, err)
	}
	return s, nil
}
