package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // what the pictures are
	_ "image/png"  // what one of them is, whatever its name says
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/image/draw"

	"github.com/hindsight-go/hindsight/lib/internal/ahead"
)

// ImageNetMean and ImageNetDeviation are those of ImageNet's colours, red, green, blue, in [0, 1], which public code
// normalizes with.
var (
	ImageNetMean      = []float64{0.485, 0.456, 0.406}
	ImageNetDeviation = []float64{0.229, 0.224, 0.225}
)

// Pictures are labelled pictures of any size in files, read when they are needed.
type Pictures struct {
	Name    string
	Classes []string
	Files   []string
	Labels  []int32 // of each file
	// Workers is how many pictures are decoded at once; 0: as many as there are processors. It changes no picture.
	Workers int
}

// PictureBatch is a minibatch of pictures: rows × Side × Side × 3 bytes, red, green, blue, row by row.
type PictureBatch struct {
	X      []uint8
	Labels []int32
}

// ImageNet is one part of ImageNet-1k, 1 281 167 training and 50 000 validation pictures in 1000 classes. Its licence
// forbids to pass it on, so nothing is downloaded: the folder imagenet must be in one that HINDSIGHT_DATA names, and hold
// train/<class>/*.JPEG and val/<class>/*.JPEG. See [ReadPictures]. (The validation archive as it is published has no class
// folders; ImageNet's site and many programs tell how to sort it.)
//
// Source: Russakovsky et al. (2015), ImageNet Large Scale Visual Recognition Challenge; https://image-net.org, research
// only.
func ImageNet(part Part, o Options) (*Pictures, error) {
	name := filepath.Join("imagenet", "train")
	if part == Test {
		name = filepath.Join("imagenet", "val")
	}
	folder, err := o.folder(name)
	if err != nil {
		return nil, fmt.Errorf("data: imagenet: %w: register at https://image-net.org, fetch ILSVRC2012, and unpack it as imagenet/train/<class>/*.JPEG and imagenet/val/<class>/*.JPEG in a folder named in HINDSIGHT_DATA", err)
	}
	p, err := ReadPictures(folder)
	if err != nil {
		return nil, err
	}
	p.Name = "imagenet"
	return p, nil
}

// ReadPictures lists a folder of folders of JPEG or PNG files (.jpg, .jpeg, .png): one a class, numbered from 0 in the
// order of their names, as everybody does. Files that begin with a dot are passed over. Nothing is decoded yet.
func ReadPictures(folder string) (*Pictures, error) {
	classes, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("data: ReadPictures: %w", err)
	}
	p := &Pictures{Name: filepath.Base(folder)}
	for _, class := range classes { // ReadDir sorts
		path := filepath.Join(folder, class.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() || strings.HasPrefix(class.Name(), ".") {
			continue
		}
		files, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("data: ReadPictures: %w", err)
		}
		for _, f := range files {
			kind := strings.ToLower(filepath.Ext(f.Name()))
			if strings.HasPrefix(f.Name(), ".") || !slices.Contains([]string{".jpg", ".jpeg", ".png"}, kind) {
				continue
			}
			p.Files = append(p.Files, filepath.Join(path, f.Name()))
			p.Labels = append(p.Labels, int32(len(p.Classes)))
		}
		p.Classes = append(p.Classes, class.Name())
	}
	if len(p.Files) == 0 {
		return nil, fmt.Errorf("data: ReadPictures: %s holds no folders with pictures", folder)
	}
	return p, nil
}

// Rows is the number of pictures.
func (p *Pictures) Rows() int { return len(p.Files) }

// Training returns minibatches for training, without end: of each picture a random part, [RandomResizedCrop], mirrored
// with probability ½, side × side. Each pass has the pictures in another order; what does not fill its last minibatch is
// left out. Order and parts are the seed's, and the same whatever the number of workers.
func (p *Pictures) Training(ctx context.Context, side, batch int, seed uint64) iter.Seq2[PictureBatch, error] {
	views := func(yield func(view, error) bool) {
		for pass := uint64(0); ; pass++ {
			order := rand.New(rand.NewPCG(seed, pass)).Perm(p.Rows())
			for _, k := range order[:p.Rows()/batch*batch] {
				if !yield(view{k, rand.New(rand.NewPCG(seed, 1<<63|pass<<32|uint64(k)))}, nil) {
					return
				}
			}
		}
	}
	return p.batches(ctx, side, batch, views)
}

// Evaluation returns the pictures once, in their order, as they are tested: resized so that the shorter edge has 8/7 of
// side (256 for 224), and of that the middle. The last minibatch may be smaller.
func (p *Pictures) Evaluation(ctx context.Context, side, batch int) iter.Seq2[PictureBatch, error] {
	return p.batches(ctx, side, min(batch, p.Rows()), func(yield func(view, error) bool) {
		for k := range p.Rows() {
			if !yield(view{k, nil}, nil) {
				return
			}
		}
	})
}

// view is how a picture is looked at: a random part of it, or with nil the middle.
type view struct {
	picture int
	random  *rand.Rand
}

func (p *Pictures) batches(ctx context.Context, side, batch int, views iter.Seq2[view, error]) iter.Seq2[PictureBatch, error] {
	type example struct {
		x     []uint8
		label int32
	}
	read := func(v view) (example, error) {
		x, err := readPicture(p.Files[v.picture], side, v.random)
		return example{x, p.Labels[v.picture]}, err
	}
	return func(yield func(PictureBatch, error) bool) {
		workers := p.Workers
		if workers == 0 {
			workers = runtime.NumCPU()
		}
		if side < 1 || batch < 1 || batch > p.Rows() || workers < 1 || len(p.Labels) != p.Rows() {
			yield(PictureBatch{}, fmt.Errorf("data: %s: side is %d, batch %d and Workers %d for %d pictures with %d labels; side and batch must be at least 1, batch at most the number of pictures, Workers not negative", p.Name, side, batch, p.Workers, p.Rows(), len(p.Labels)))
			return
		}
		var now PictureBatch
		for e, err := range ahead.Map(ctx, views, workers, read) {
			if err != nil {
				yield(PictureBatch{}, err)
				return
			}
			if now.X == nil {
				now.X = make([]uint8, 0, batch*len(e.x))
			}
			now.X, now.Labels = append(now.X, e.x...), append(now.Labels, e.label)
			if len(now.Labels) < batch {
				continue
			}
			if !yield(now, nil) {
				return
			}
			now = PictureBatch{}
		}
		if len(now.Labels) > 0 {
			yield(now, nil)
		}
	}
}

// mostPixels bounds what a picture may unpack to.
const mostPixels = 1 << 28

func readPicture(path string, side int, random *rand.Rand) ([]uint8, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	x, err := decodePicture(content, side, random)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return x, nil
}

func decodePicture(content []byte, side int, random *rand.Rand) ([]uint8, error) {
	size, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	if size.Width < 1 || size.Height < 1 || size.Width > mostPixels/size.Height {
		return nil, fmt.Errorf("it is %d×%d, must have between 1 and %d pixels", size.Width, size.Height, mostPixels)
	}
	picture, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	bounds := picture.Bounds()
	if bounds.Empty() {
		return nil, errors.New("it has no pixels")
	}
	part, mirrored := middle(bounds), false
	if random != nil {
		part, mirrored = RandomResizedCrop(bounds, random), random.IntN(2) == 1
	}
	return resized(picture, part, side, mirrored), nil
}

// middle is the square in the middle of a picture, 7/8 of its shorter edge: what the middle of side pixels is after the
// edge was resized to 8/7 of side.
func middle(bounds image.Rectangle) image.Rectangle {
	n := max(1, min(bounds.Dx(), bounds.Dy())*7/8)
	at := bounds.Min.Add(image.Pt((bounds.Dx()-n)/2, (bounds.Dy()-n)/2))
	return image.Rectangle{at, at.Add(image.Pt(n, n))}
}

// RandomResizedCrop draws a part of a picture: its area is uniform in 8 to 100 % of the picture's, the logarithm of its
// width/height uniform between those of 3/4 and 4/3, its place uniform. Where ten draws do not fit it is the largest part
// in the middle of an allowed ratio.
//
// Source: Szegedy et al. (2015), Going Deeper with Convolutions, section 6; the numbers of draws and the last resort as in
// torchvision.
func RandomResizedCrop(bounds image.Rectangle, random *rand.Rand) image.Rectangle {
	width, height := float64(bounds.Dx()), float64(bounds.Dy())
	const least, most = 3. / 4, 4. / 3
	for range 10 {
		area := width * height * (0.08 + 0.92*random.Float64())
		ratio := math.Exp(math.Log(least) + random.Float64()*math.Log(most/least))
		w, h := int(math.Round(math.Sqrt(area*ratio))), int(math.Round(math.Sqrt(area/ratio)))
		if w < 1 || h < 1 || w > bounds.Dx() || h > bounds.Dy() {
			continue
		}
		at := bounds.Min.Add(image.Pt(random.IntN(bounds.Dx()-w+1), random.IntN(bounds.Dy()-h+1)))
		return image.Rectangle{at, at.Add(image.Pt(w, h))}
	}
	w, h := bounds.Dx(), bounds.Dy()
	switch {
	case width/height < least:
		h = max(1, min(h, int(math.Round(width/least))))
	case width/height > most:
		w = max(1, min(w, int(math.Round(height*most))))
	}
	at := bounds.Min.Add(image.Pt((bounds.Dx()-w)/2, (bounds.Dy()-h)/2))
	return image.Rectangle{at, at.Add(image.Pt(w, h))}
}

// resized is a part of a picture at side × side, by linear interpolation over all pixels that a new one covers. Grey
// pictures get three equal colours, those in CMYK are converted; what is transparent is black.
func resized(picture image.Image, part image.Rectangle, side int, mirrored bool) []uint8 {
	to := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.BiLinear.Scale(to, to.Bounds(), picture, part, draw.Src, nil)
	out := make([]uint8, 0, side*side*3)
	for y := range side {
		for x := range side {
			if mirrored {
				x = side - 1 - x
			}
			at := to.PixOffset(x, y)
			out = append(out, to.Pix[at], to.Pix[at+1], to.Pix[at+2])
		}
	}
	return out
}
