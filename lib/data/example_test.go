package data_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/hindsight-go/hindsight/lib/data"
)

// An embedded set, divided and scaled as experiments do it: the scaling is measured on the training part.
func Example() {
	d, err := data.BreastCancer()
	if err != nil {
		fmt.Println(err)
		return
	}
	train, test, err := d.Split(0.25, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	scaling, err := data.FitScaling(train)
	if err != nil {
		fmt.Println(err)
		return
	}
	if test, err = scaling.Apply(test); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Rows(), "tumours,", len(d.Columns), "measurements, the first the", d.Columns[0])
	fmt.Println(train.Rows(), "to train on,", test.Rows(), "to test on:", test.Features().Shape())
	// Output:
	// 569 tumours, 30 measurements, the first the mean_radius
	// 427 to train on, 142 to test on: (Float32)[142, 30]
}

// A set that cannot be had here says where to put its file.
func ExampleFashionMNIST() {
	d, err := data.FashionMNIST(context.Background(), data.Train, data.Options{})
	switch {
	case errors.Is(err, data.ErrUnavailable):
		fmt.Println("skipped:", err)
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(d.Rows(), "pictures of", d.Classes)
	}
}
