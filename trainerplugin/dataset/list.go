package dataset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An Info is what can be said of a data set without reading it.
type Info struct {
	Name  string
	About string

	Height, Width, Channels int // of an image; 0 where only reading it tells
	Classes                 int // 〃
	Train, Test             int // examples; 〃, and for "glyphs", whose training part has any size

	Present bool
	Path    string // where it is, or the folder that it would be fetched into; "" for "glyphs"
	Form    string // of what is there: "IDX files", "images by class", …
	Bytes   int64  // of the files there; 0 for a folder of images
	Problem string // why it could not be looked at, or why it is not present; "" otherwise

	Download int64 // bytes that Fetch would download for all of it; 0 if it cannot be fetched
}

// List tells of every data set that can be opened with dir: "glyphs", the
// published ones whether they are there or not, and the image folders and
// archives found directly in dir. It reads no data.
func List(dir string) []Info {
	infos := []Info{{
		Name: "glyphs", About: "digits rendered from fonts, any number of them; needs no file",
		Height: glyphSize, Width: glyphSize, Channels: 1, Classes: len(digitNames), Test: GlyphTest,
		Present: true, Form: "rendered",
	}}
	for _, l := range catalog {
		infos = append(infos, l.info(dir))
	}
	return append(infos, listFolders(dir)...)
}

func (l *listing) info(dir string) Info {
	i := Info{
		Name: l.name, About: l.about,
		Height: l.height, Width: l.width, Channels: l.channels,
		Classes: len(l.classes), Train: l.train, Test: l.test,
		Path: filepath.Join(dir, l.folders[0]),
	}
	for _, f := range l.files {
		i.Download += f.size
	}
	i.found(l.find(dir))
	return i
}

// found fills in what came of looking for the files.
func (i *Info) found(at place, err error) {
	if err != nil {
		i.Problem = err.Error()
		return
	}
	i.Present, i.Path, i.Form = true, at.path, at.form
	for _, f := range at.files {
		if info, err := os.Stat(f); err == nil {
			i.Bytes += info.Size()
		}
	}
}

// listFolders finds image folders and archives in dir that no listed data set
// lays claim to.
func listFolders(dir string) (infos []Info) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []Info{{Name: folderPrefix + "*", Path: dir, Problem: err.Error()}}
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		for _, ext := range []string{".tar", ".tar.gz", ".tgz"} {
			name = strings.TrimSuffix(name, ext)
		}
		if !slices.Contains(names, name) && !claimed(name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		at, err := folderName{folder: name}.find(dir)
		if err != nil {
			continue // some other file
		}
		i := Info{Name: folderPrefix + name, About: "your own images by class"}
		i.found(at, nil)
		infos = append(infos, i)
	}
	return infos
}

// claimed reports whether a listed data set is looked for in the folder.
func claimed(folder string) bool {
	return slices.ContainsFunc(catalog, func(l *listing) bool { return slices.Contains(l.folders, folder) })
}
