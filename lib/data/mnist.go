package data

import (
	"context"
	"fmt"
)

// Part is one of the two parts that a data set is published in.
type Part int

// The parts of a set of pictures.
const (
	Train Part = iota
	Test
)

func (p Part) String() string {
	if p == Test {
		return "test"
	}
	return "train"
}

// FashionMNIST is 60 000 training and 10 000 test pictures of clothes, 28×28 grey values in [0, 1], in ten classes.
// Debian's package dataset-fashion-mnist has it too.
//
// Source: Xiao, Rasul, Vollgraf (2017), Fashion-MNIST, arXiv 1708.07747. Licence: MIT.
func FashionMNIST(ctx context.Context, part Part, o Options) (*Dataset, error) {
	return pictures(ctx, part, o, "fashion-mnist", "https://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
		[]string{"/usr/share/datasets/fashion-mnist"}, [4]string{
			"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
			"bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
			"5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
			"0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
		}, []string{"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"})
}

// MNIST is 60 000 training and 10 000 test pictures of handwritten digits, 28×28 grey values in [0, 1].
//
// Source: LeCun, Cortes, Burges (1998). Licence: CC BY-SA 3.0.
func MNIST(ctx context.Context, part Part, o Options) (*Dataset, error) {
	return pictures(ctx, part, o, "mnist", "https://storage.googleapis.com/cvdf-datasets/mnist/", nil, [4]string{
		"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
		"65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
		"0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
		"ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
	}, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"})
}

// pictures loads one part of a set in MNIST's format. sums are of the unpacked files, since archives differ in their
// packing: training pictures and labels, test pictures and labels.
func pictures(ctx context.Context, part Part, o Options, set, url string, system []string, sums [4]string, classes []string) (*Dataset, error) {
	names := [2]string{"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"}
	sum := sums[:2]
	if part == Test {
		names = [2]string{"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}
		sum = sums[2:]
	}
	var parsed [2][]byte
	var dims [2][]int
	for i, name := range names {
		content, err := file{set: set, name: name, url: url, sha256: sum[i], unpack: true, system: system}.find(ctx, o)
		if err != nil {
			return nil, err
		}
		if dims[i], parsed[i], err = parseIDX(content); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(dims[0]) != 3 || len(dims[1]) != 1 || dims[0][0] != dims[1][0] {
		return nil, fmt.Errorf("data: %s: pictures are %v and labels %v, must be one label a picture", set, dims[0], dims[1])
	}
	d := &Dataset{Name: set, Shape: []int{dims[0][1], dims[0][2], 1}, Classes: classes, X: make([]float32, len(parsed[0])), Labels: make([]int32, len(parsed[1]))}
	for i, v := range parsed[0] {
		d.X[i] = float32(v) / 255
	}
	for i, v := range parsed[1] {
		if int(v) >= len(classes) {
			return nil, fmt.Errorf("data: %s: label %d is %d, must be below %d", set, i, v, len(classes))
		}
		d.Labels[i] = int32(v)
	}
	return d, nil
}
