package data

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

const cifarURL = "https://www.cs.toronto.edu/~kriz/"

// CIFAR10 is 50 000 training and 10 000 test pictures, 32×32 with three colours in [0, 1], in ten classes.
//
// Source: Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images. The authors state no licence.
func CIFAR10(ctx context.Context, part Part, o Options) (*Dataset, error) {
	names := []string{"test_batch.bin"}
	if part == Train {
		names = []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}
	}
	archive := file{set: "cifar-10", name: "cifar-10-binary.tar.gz", url: cifarURL, sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
	return cifar(ctx, o, archive, names, 1, []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"})
}

// CIFAR100 is like [CIFAR10] with a hundred classes, here without names; the twenty coarse ones are left out.
func CIFAR100(ctx context.Context, part Part, o Options) (*Dataset, error) {
	archive := file{set: "cifar-100", name: "cifar-100-binary.tar.gz", url: cifarURL, sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"}
	classes := make([]string, 100)
	for i := range classes {
		classes[i] = fmt.Sprint(i)
	}
	return cifar(ctx, o, archive, []string{part.String() + ".bin"}, 2, classes)
}

func cifar(ctx context.Context, o Options, archive file, names []string, labels int, classes []string) (*Dataset, error) {
	packed, err := archive.find(ctx, o)
	if err != nil {
		return nil, err
	}
	unpacked, err := gunzip(packed)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", archive.set, err)
	}
	files, err := untar(unpacked, names)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", archive.set, err)
	}
	d := &Dataset{Name: archive.set, Shape: []int{32, 32, 3}, Classes: classes}
	bytes := 0
	for _, content := range files {
		bytes += len(content)
	}
	d.X = make([]float32, 0, bytes) // the labels' bytes too many
	for i, content := range files {
		if err := parseCIFAR(d, content, labels); err != nil {
			return nil, fmt.Errorf("data: %s: %s: %w", archive.set, names[i], err)
		}
	}
	return d, nil
}

// untar returns the named files of an archive, in that order, whatever folder they are in.
func untar(archive []byte, names []string) ([][]byte, error) {
	out := make([][]byte, len(names))
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if i := slices.Index(names, path.Base(header.Name)); i >= 0 {
			if header.Size > int64(len(archive)) { // holes of a sparse file take no room there, but would here
				return nil, fmt.Errorf("%s claims %d bytes, more than the archive has", header.Name, header.Size)
			}
			if out[i], err = io.ReadAll(r); err != nil {
				return nil, err
			}
		}
	}
	var missing []string
	for i, content := range out {
		if content == nil {
			missing = append(missing, names[i])
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("the archive lacks %s", strings.Join(missing, ", "))
	}
	return out, nil
}

// parseCIFAR appends a file's pictures: each is its labels, the finest last, one byte each, and 1024 bytes of red, of
// green and of blue, row by row.
func parseCIFAR(d *Dataset, content []byte, labels int) error {
	const pixels = 32 * 32
	size := labels + 3*pixels
	if len(content) == 0 || len(content)%size != 0 {
		return fmt.Errorf("it has %d bytes, must be a multiple of %d", len(content), size)
	}
	for at := 0; at < len(content); at += size {
		label := content[at+labels-1]
		if int(label) >= len(d.Classes) {
			return fmt.Errorf("picture %d has the label %d, must be below %d", at/size, label, len(d.Classes))
		}
		d.Labels = append(d.Labels, int32(label))
		picture := content[at+labels : at+size]
		for p := range pixels {
			for c := range 3 {
				d.X = append(d.X, float32(picture[c*pixels+p])/255)
			}
		}
	}
	return nil
}
