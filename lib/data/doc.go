// Package data holds data sets: real ones, looked up or downloaded, small embedded ones, and synthetic sources.
//
//	| data set                         | where it comes from                    | loader            |
//	|----------------------------------|----------------------------------------|-------------------|
//	| Fashion-MNIST, MNIST             | looked up, see below                   | [FashionMNIST], [MNIST] |
//	| CIFAR-10, CIFAR-100              | looked up                              | [CIFAR10], [CIFAR100] |
//	| UCI Adult, with incomes, medical costs | looked up                        | [Adult], [AdultReconstruction], [Insurance] |
//	| ImageNet-1k                      | your own copy                          | [ImageNet], [ReadPictures] |
//	| digits, breast cancer, wine, diabetes | embedded                          | [Digits], [BreastCancer], [Wine], [Diabetes] |
//	| Go source text                   | GOROOT                                 | [GoSource]        |
//	| token sources, SplitMix64        | computed                               | [ZM512], [PAIR16] |
//	| C4, OpenWebText                  | looked up, shard by shard              | package [github.com/hindsight-go/hindsight/lib/data/corpus] |
//
// [Sequences] is what a language model trains on, [Pictures] are read as they are needed.
//
// [ReadLIBSVM] reads any data set in LIBSVM's text format.
//
// A file is looked up in the folders named in HINDSIGHT_DATA (and in a folder of the set's name within), then in the
// user's cache, then where the system's packages put it, and then downloaded, with its SHA-256 checked. Where it cannot
// be had the error wraps [ErrUnavailable] and names the address and a folder to put the file in.
package data
