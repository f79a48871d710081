package data

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// encoded is a picture of one colour in a file.
func encoded(t testing.TB, c color.Color, width, height int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, c)
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// album is a folder imagenet of classes classes with each pictures, whose red is 10·class and green 3·number.
func album(t testing.TB, classes, each int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, part := range []string{"train", "val"} {
		for c := range classes {
			class := filepath.Join(dir, "imagenet", part, fmt.Sprintf("n%08d", 1000-c)) // sorted the other way
			if err := os.MkdirAll(class, 0o755); err != nil {
				t.Fatal(err)
			}
			for k := range each {
				content := encoded(t, color.RGBA{uint8(10 * (classes - 1 - c)), uint8(3 * k), 0, 255}, 20+k, 30)
				if err := os.WriteFile(filepath.Join(class, fmt.Sprintf("%d.JPEG", k)), content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return dir
}

func TestImageNet(t *testing.T) {
	dir := album(t, 3, 4)
	for name, content := range map[string]string{"imagenet/val/n00000999/notes.txt": "x", "imagenet/val/.hidden": "x", "imagenet/val/n00000999/._1.JPEG": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ImageNet(Test, Options{Dirs: []string{t.TempDir(), dir}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Classes, []string{"n00000998", "n00000999", "n00001000"}) || p.Rows() != 12 {
		t.Errorf("%d pictures of %v", p.Rows(), p.Classes)
	}
	rows := 0
	for b, err := range p.Evaluation(t.Context(), 8, 5) {
		if err != nil {
			t.Fatal(err)
		}
		if len(b.X) != len(b.Labels)*8*8*3 {
			t.Fatalf("%d bytes for %d pictures", len(b.X), len(b.Labels))
		}
		for i, label := range b.Labels {
			if red := int(b.X[i*8*8*3]); label != int32((rows+i)/4) || math.Abs(float64(red)-10*float64(label)) > 4 {
				t.Errorf("picture %d has the label %d and the red %d", rows+i, label, red)
			}
		}
		rows += len(b.Labels)
	}
	if rows != 12 {
		t.Errorf("%d pictures were evaluated, must be 12", rows)
	}
}

func TestImageNetMissing(t *testing.T) {
	_, err := ImageNet(Train, Options{Dirs: []string{"/nowhere"}, Cache: t.TempDir()})
	for _, words := range []string{"https://image-net.org", "imagenet/train/<class>", "HINDSIGHT_DATA", "/nowhere/imagenet/train"} {
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %v, must hold %q", err, words)
		}
	}
	empty := t.TempDir()
	if err := os.MkdirAll(filepath.Join(empty, "imagenet", "train", "n1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := ImageNet(Train, Options{Dirs: []string{empty}}); err == nil || !strings.Contains(err.Error(), "no folders with pictures") {
		t.Errorf("the error is %v", err)
	}
}

// training is the first n minibatches.
func training(t *testing.T, p *Pictures, batch, n int, seed uint64) (out []PictureBatch) {
	t.Helper()
	for b, err := range p.Training(t.Context(), 8, batch, seed) {
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, b); len(out) == n {
			break
		}
	}
	return out
}

// Minibatches are the seed's whatever the number of workers; a pass has each picture at most once, and passes differ.
func TestPicturesTraining(t *testing.T) {
	p, err := ImageNet(Train, Options{Dirs: []string{album(t, 3, 5)}})
	if err != nil {
		t.Fatal(err)
	}
	p.Workers = 1
	one := training(t, p, 4, 9, 0) // three passes of three
	p.Workers = 6
	same := func(a, b PictureBatch) bool { return bytes.Equal(a.X, b.X) && slices.Equal(a.Labels, b.Labels) }
	if six := training(t, p, 4, 9, 0); !slices.EqualFunc(one, six, same) {
		t.Error("six workers give other pictures than one")
	}
	if other := training(t, p, 4, 9, 1); slices.EqualFunc(one, other, same) {
		t.Error("another seed gives the same pictures")
	}
	if slices.EqualFunc(one[:3], one[3:6], same) {
		t.Error("the second pass is the first")
	}
	for pass := range 3 {
		seen := map[[2]uint8]int{} // by red and green, which tell the pictures apart
		for _, b := range one[3*pass : 3*pass+3] {
			for i, label := range b.Labels {
				green := (b.X[i*8*8*3+1] + 1) / 3
				seen[[2]uint8{uint8(label), green}]++
			}
		}
		if len(seen) != 12 {
			t.Errorf("pass %d has %d different pictures of 12: %v", pass, len(seen), seen)
		}
	}
}

func TestPicturesErrors(t *testing.T) {
	p, err := ImageNet(Train, Options{Dirs: []string{album(t, 2, 2)}})
	if err != nil {
		t.Fatal(err)
	}
	first := func(side, batch int) (err error) {
		for _, err = range p.Training(t.Context(), side, batch, 0) {
			break
		}
		return err
	}
	for _, c := range [][2]int{{0, 1}, {8, 0}, {8, 5}, {8, -1}} {
		if err := first(c[0], c[1]); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("side is %d, batch %d", c[0], c[1])) {
			t.Errorf("side %d, batch %d: the error is %v", c[0], c[1], err)
		}
	}
	if err := os.WriteFile(p.Files[1], []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := first(8, 4); err == nil || !strings.Contains(err.Error(), p.Files[1]) {
		t.Errorf("the error is %v, must name the file", err)
	}
	last := func(batches iter.Seq2[PictureBatch, error]) (err error) {
		for _, err = range batches {
			if err != nil {
				break
			}
		}
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := last(p.Evaluation(ctx, 8, 4)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	none := &Pictures{Name: "none"}
	if last(none.Evaluation(t.Context(), 8, 4)) == nil {
		t.Error("no pictures are no error")
	}
}

// What the middle of a picture is, against Pillow's resize and crop, for every kind of file.
func TestPicturesParity(t *testing.T) {
	content, err := os.ReadFile("testdata/pictures.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name         string
		File, Pixels []byte
	}
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		got, err := decodePicture(c.File, 28, nil)
		if err != nil || len(got) != len(c.Pixels) {
			t.Errorf("%s: %d bytes, %v", c.Name, len(got), err)
			continue
		}
		var sum, most float64
		for i := range got {
			d := math.Abs(float64(got[i]) - float64(c.Pixels[i]))
			sum, most = sum+d, math.Max(most, d)
		}
		// Parts begin at whole pixels here, where Pillow resizes before it cuts; and chroma is interpolated otherwise.
		if mean := sum / float64(len(got)); mean > 2.5 || most > 14 {
			t.Errorf("%s: %.2f of 255 away on average, %g at most", c.Name, mean, most)
		}
	}
}

// Of 4000 crops, areas and ratios are in their ranges, places inside, and the mean area is that of the uniform draw: (8 +
// 100)/2 = 54 %, to 5 of its deviations, less what does not fit.
func TestRandomResizedCrop(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	bounds := image.Rect(5, 7, 505, 507)
	var area float64
	const n = 4000
	for range n {
		r := RandomResizedCrop(bounds, rng)
		part := float64(r.Dx()*r.Dy()) / float64(bounds.Dx()*bounds.Dy())
		ratio := float64(r.Dx()) / float64(r.Dy())
		if !r.In(bounds) || part < 0.079 || part > 1 || ratio < 0.74 || ratio > 1.35 {
			t.Fatalf("the part is %v of area %g and ratio %g", r, part, ratio)
		}
		area += part / n
	}
	if area < 0.45 || area > 0.56 {
		t.Errorf("the mean area is %g", area)
	}
	for _, wide := range []image.Rectangle{image.Rect(0, 0, 1000, 1), image.Rect(0, 0, 1, 1000), image.Rect(0, 0, 1, 1), image.Rect(0, 0, 1000, 10)} {
		for range 50 {
			if r := RandomResizedCrop(wide, rng); r.Empty() || !r.In(wide) {
				t.Fatalf("of %v the part is %v", wide, r)
			}
		}
	}
	if r := RandomResizedCrop(image.Rect(0, 0, 1000, 10), rand.New(rand.NewPCG(1, 1))); r != image.Rect(493, 0, 506, 10) {
		t.Errorf("where no draw fits the part is %v", r)
	}
}

func TestMirrored(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 2, 1))
	m.Set(0, 0, color.RGBA{200, 0, 0, 255})
	m.Set(1, 0, color.RGBA{0, 100, 0, 255})
	m2 := resized(m, m.Bounds(), 2, true)
	if m2[1] != 100 || m2[3] != 200 {
		t.Errorf("mirrored is %v", m2)
	}
}

func FuzzDecodePicture(f *testing.F) {
	f.Add(encoded(f, color.White, 9, 7))
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 3, 3))); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(content)); err == nil && c.Width > 0 && c.Height > 1<<20/c.Width {
			t.Skip("too large for a test")
		}
		for _, rng := range []*rand.Rand{nil, rand.New(rand.NewPCG(1, 2))} {
			if x, err := decodePicture(content, 4, rng); err == nil && len(x) != 4*4*3 {
				t.Fatalf("%d bytes", len(x))
			}
		}
	})
}

func BenchmarkDecodePicture(b *testing.B) {
	content := encoded(b, color.White, 500, 375) // ImageNet's usual size
	for b.Loop() {
		if _, err := decodePicture(content, 224, rand.New(rand.NewPCG(1, 2))); err != nil {
			b.Fatal(err)
		}
	}
}
