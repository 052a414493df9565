package dataset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// ErrUnknown marks a name that is no data set's.
var ErrUnknown = errors.New("unknown data set")

// A listing is what is known of a published data set before any file is read.
type listing struct {
	name, about             string
	height, width, channels int
	train, test             int      // examples as published
	classes                 []string // name of each label
	mean, std               []float64
	folders                 []string // under the data directory, where it is looked for; fetched into the first
	files                   []published

	// locate finds the files in one folder. Its error wraps ErrMissing if
	// none, or not all, are there.
	locate func(l *listing, folder string) (place, error)
	read   func(ctx context.Context, l *listing, at place) (*Set, error)
}

// A place is where a data set's files were found.
type place struct {
	form  string   // what they are, for people
	path  string   // of the folder, or of the archive
	files []string // that hold the data; nil for a folder of images
}

// A published file is one that a data set's makers offer.
type published struct {
	name string
	size int64  // bytes
	md5  string // of the file, as published
	raw  string // MD5 of what is in the .gz file, where it is known
	urls []string
}

// Normalisation constants in common use; they were computed by others from the
// training parts and have been public since.
var (
	mnistMean, mnistStd     = []float64{0.1307}, []float64{0.3081}
	fashionMean, fashionStd = []float64{0.2860}, []float64{0.3530}

	// The paper's, for CIFAR-10 and CIFAR-100 alike (section 3).
	cifarMean = []float64{0.49139968, 0.48215841, 0.44653091}
	cifarStd  = []float64{0.24703223, 0.24348513, 0.26158784}
)

var (
	digitNames   = strings.Fields("0 1 2 3 4 5 6 7 8 9")
	fashionNames = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}
	cifar10Names = strings.Fields("airplane automobile bird cat deer dog frog horse ship truck")

	// cifar100Names are the fine labels, alphabetical as published.
	cifar100Names = strings.Fields(`
		apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
		camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
		dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
		leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
		otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road
		rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower
		sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
		willow_tree wolf woman worm`)
)

// catalog lists the published data sets. Digests and sizes are those that
// torchvision and TensorFlow check.
var catalog = []*listing{
	{
		name: "mnist", about: "handwritten digits (LeCun, Cortes, Burges 1998)",
		height: 28, width: 28, channels: 1, train: 60_000, test: 10_000,
		classes: digitNames, mean: mnistMean, std: mnistStd,
		folders: []string{"mnist", "MNIST/raw"},
		files: mirrored([]string{"https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"},
			published{name: "train-images-idx3-ubyte.gz", size: 9_912_422, md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873", raw: "6bbc9ace898e44ae57da46a324031adb"},
			published{name: "train-labels-idx1-ubyte.gz", size: 28_881, md5: "d53e105ee54ea40749a09fcbcd1e9432", raw: "a25bea736e30d166cdddb491f175f624"},
			published{name: "t10k-images-idx3-ubyte.gz", size: 1_648_877, md5: "9fb629c4189551a2d022fa330f9573f3", raw: "2646ac647ad5339dbf082846283269ea"},
			published{name: "t10k-labels-idx1-ubyte.gz", size: 4_542, md5: "ec29112dd5afa0611ce80d1b7f02629c", raw: "27ae3e4e09519cfbb04c329615203637"},
		),
		locate: locateIDX, read: readIDXSet,
	},
	{
		name: "fashion-mnist", about: "clothes in the format of MNIST (Xiao, Rasul, Vollgraf 2017)",
		height: 28, width: 28, channels: 1, train: 60_000, test: 10_000,
		classes: fashionNames, mean: fashionMean, std: fashionStd,
		folders: []string{"fashion-mnist", "FashionMNIST/raw"},
		files: mirrored([]string{"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/", "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"},
			published{name: "train-images-idx3-ubyte.gz", size: 26_421_880, md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
			published{name: "train-labels-idx1-ubyte.gz", size: 29_515, md5: "25c81989df183df01b3e8a0aad5dffbe"},
			published{name: "t10k-images-idx3-ubyte.gz", size: 4_422_102, md5: "bef4ecab320f06d8554ea6380940ec79"},
			published{name: "t10k-labels-idx1-ubyte.gz", size: 5_148, md5: "bb300cfdad3c16e7a12a480ee83cd310"},
		),
		locate: locateIDX, read: readIDXSet,
	},
	{
		name: "cifar10", about: "small photographs in 10 classes (Krizhevsky 2009)",
		height: 32, width: 32, channels: 3, train: 50_000, test: 10_000,
		classes: cifar10Names, mean: cifarMean, std: cifarStd,
		folders: []string{"cifar10"},
		files: mirrored([]string{"https://www.cs.toronto.edu/~kriz/"},
			published{name: "cifar-10-binary.tar.gz", size: 170_052_171, md5: "c32a1d4ab5d03f1284b67883e8d87530"}),
		locate: cifar10Format.locate, read: cifar10Format.readSet,
	},
	{
		name: "cifar100", about: "small photographs in 100 classes (Krizhevsky 2009)",
		height: 32, width: 32, channels: 3, train: 50_000, test: 10_000,
		classes: cifar100Names, mean: cifarMean, std: cifarStd,
		folders: []string{"cifar100"},
		files: mirrored([]string{"https://www.cs.toronto.edu/~kriz/"},
			published{name: "cifar-100-binary.tar.gz", size: 168_513_733, md5: "03b5dce01913d631647c71ecec9e9cb8"}),
		locate: cifar100Format.locate, read: cifar100Format.readSet,
	},
}

// mirrored gives each file an address below every base.
func mirrored(bases []string, files ...published) []published {
	for i := range files {
		for _, b := range bases {
			files[i].urls = append(files[i].urls, b+files[i].name)
		}
	}
	return files
}

// listed returns the listing of that name, or nil.
func listed(name string) *listing {
	for _, l := range catalog {
		if l.name == name {
			return l
		}
	}
	return nil
}

// Names lists the data sets that need no file or can be fetched.
func Names() []string {
	names := []string{"glyphs"}
	for _, l := range catalog {
		names = append(names, l.name)
	}
	return names
}

// find locates l in the first of its folders below dir that is there.
func (l *listing) find(dir string) (place, error) {
	at, err := place{}, fmt.Errorf("%w: no folder %s", ErrMissing, filepath.Join(dir, l.folders[0]))
	for _, f := range l.folders {
		if folder := filepath.Join(dir, f); exists(folder) {
			at, err = l.locate(l, folder)
			break
		}
	}
	if errors.Is(err, ErrMissing) {
		err = fmt.Errorf("%w; `sweep data fetch %s` downloads it", err, l.name)
	}
	return at, err
}

// newSet is an empty set with what l knows of it.
func (l *listing) newSet(at place) *Set {
	return &Set{
		Name: l.name, Classes: l.classes, Source: at.form + " in " + at.path,
		Height: l.height, Width: l.width, Channels: l.channels,
		Mean: l.mean, Std: l.std,
	}
}
