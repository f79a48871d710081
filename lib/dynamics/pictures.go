package dynamics

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/hindsight-go/hindsight/lib/data"
)

// PictureTask is pictures in two groups of classes: even against odd ones, or of "cifar-10" the first five against the others.
// They are centered, and every picture has the norm of one a coordinate.
type PictureTask struct {
	Train, Test SignedData
	Picture     []int // height, width, channels: for [CenteredNet]
}

// LoadPictures prepares "digits" (1200 and 597 of the embedded ones, mixed so that each part has all writers), "mnist",
// "fashion-mnist" or "cifar-10". Of the latter, where only the published test part can be had, its first four fifths are the
// training part.
func LoadPictures(ctx context.Context, name string, o data.Options) (PictureTask, error) {
	load := map[string]func(context.Context, data.Part, data.Options) (*data.Dataset, error){
		"mnist": data.MNIST, "fashion-mnist": data.FashionMNIST, "cifar-10": data.CIFAR10,
	}[name]
	switch {
	case name == "digits":
		set, err := data.Digits()
		if err != nil {
			return PictureTask{}, err
		}
		order := make([]int, set.Rows())
		for k := range order {
			order[k] = 1009 * k % len(order) // prime, so that every row comes once
		}
		if set, err = set.Take(order); err != nil {
			return PictureTask{}, err
		}
		return divided(name, set, 1200)
	case load == nil:
		return PictureTask{}, fmt.Errorf("dynamics: LoadPictures: name is %q, must be digits, mnist, fashion-mnist or cifar-10", name)
	}
	test, err := load(ctx, data.Test, o)
	if err != nil {
		return PictureTask{}, err
	}
	train, err := load(ctx, data.Train, o)
	switch {
	case errors.Is(err, data.ErrUnavailable):
		return divided(name, test, test.Rows()*4/5)
	case err != nil:
		return PictureTask{}, err
	}
	var p PictureTask
	if p.Train, p.Picture, err = groups(name, train); err != nil {
		return PictureTask{}, err
	}
	p.Test, _, err = groups(name, test)
	return p, err
}

// divided makes a task of one set: the first rows are for training.
func divided(name string, set *data.Dataset, first int) (PictureTask, error) {
	all, picture, err := groups(name, set)
	if err != nil {
		return PictureTask{}, err
	}
	return PictureTask{all.rows(0, first), all.rows(first, len(all.Y)), picture}, nil
}

// groups are a set's pictures with their signs, on the sphere.
func groups(name string, set *data.Dataset) (SignedData, []int, error) {
	positive := func(class int32) bool { return class%2 == 0 }
	if name == "cifar-10" {
		positive = func(class int32) bool { return class < 5 }
	}
	d, err := Signed(set, positive)
	if err != nil {
		return SignedData{}, nil, err
	}
	picture := set.Shape
	d, err = d.OnSphere(math.Sqrt(float64(product(picture))))
	return d, picture, err
}
