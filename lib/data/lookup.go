package data

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ErrUnavailable says that a data set's file can neither be found nor downloaded. Callers may skip what needs it. A
// context that ends is no such error.
var ErrUnavailable = errors.New("the data set cannot be had here")

// Options say where files are looked up. The zero value is right for most.
type Options struct {
	// Dirs are searched first; nil: those named in HINDSIGHT_DATA.
	Dirs []string
	// Cache is where downloads go; "": the folder hindsight in the user's cache.
	Cache string
	// Offline forbids downloads.
	Offline bool
	// Progress, if set, is told how many bytes of how many are there (total −1: unknown).
	Progress func(file string, done, total int64)

	base     string        // in place of a file's address up to its name, for tests
	patience time.Duration // how long a server may stay silent; 0: 30 s
}

// file is one file of a data set.
type file struct {
	set    string // its folder's name
	name   string
	url    string // of the folder, with the slash at its end
	sha256 string // of the content: unpacked, where the name ends in .gz and unpack is set
	blob   string // git's name of the content, for want of a published SHA-256
	asked  bool   // the server is asked for the SHA-256, see LargeFile
	unpack bool
	system []string // folders of the system's packages
}

func (o Options) dirs() []string {
	if o.Dirs != nil {
		return o.Dirs
	}
	dirs := filepath.SplitList(os.Getenv("HINDSIGHT_DATA"))
	return slices.DeleteFunc(dirs, func(dir string) bool { return dir == "" }) // which would mean the working directory
}

func (o Options) cache() (string, error) {
	if o.Cache != "" {
		return o.Cache, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("data: %w; name a folder in HINDSIGHT_DATA", err)
	}
	return filepath.Join(dir, "hindsight"), nil
}

// find returns a file's content, checked.
func (f file) find(ctx context.Context, o Options) ([]byte, error) { return find(ctx, f, o, file.read) }

// find looks for a file that read accepts, and returns what read made of it. Copies that it refuses, because of another
// checksum, are passed over, and named if none fits.
func find[T any](ctx context.Context, f file, o Options, read func(f file, path string) (T, error)) (found T, err error) {
	cache, noCache := o.cache()
	cached := filepath.Join(cache, f.set, f.name)
	var places []string
	for _, dir := range o.dirs() {
		places = append(places, filepath.Join(dir, f.set, f.name), filepath.Join(dir, f.name))
	}
	if noCache == nil {
		places = append(places, cached)
	}
	for _, dir := range f.system {
		places = append(places, filepath.Join(dir, f.name))
	}
	var wrong []error
	for _, place := range places {
		found, err = read(f, place)
		if err == nil {
			return found, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			wrong = append(wrong, err)
		}
	}
	if noCache != nil {
		return found, fmt.Errorf("data: %s: %w: %w", f.set, ErrUnavailable, errors.Join(append(wrong, noCache)...))
	}
	address := f.url + f.name
	if o.base != "" {
		address = o.base + f.name
	}
	if o.Offline {
		wrong = append(wrong, errors.New("downloads are switched off"))
	} else {
		found, err = download(ctx, f, address, cached, o, read)
		if err == nil {
			return found, nil
		}
		if ctx.Err() != nil {
			return found, fmt.Errorf("data: %s: %w", f.set, err)
		}
		wrong = append(wrong, err)
	}
	return found, fmt.Errorf("data: %s: %w: put %s from %s into %s, or name its folder in HINDSIGHT_DATA: %w",
		f.set, ErrUnavailable, f.name, address, filepath.Dir(cached), errors.Join(wrong...))
}

// read returns a copy's content where its checksum is right.
func (f file) read(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if f.unpack {
		if content, err = gunzip(content); err != nil {
			return nil, fmt.Errorf("%s is damaged: %w", path, err)
		}
	}
	if sum := sha256.Sum256(content); f.sha256 != "" && hex.EncodeToString(sum[:]) != f.sha256 {
		return nil, fmt.Errorf("%s has the SHA-256 %x, must have %s", path, sum, f.sha256)
	}
	if sum := blobName(content); f.blob != "" && sum != f.blob {
		return nil, fmt.Errorf("%s is git's blob %s, must be %s", path, sum, f.blob)
	}
	return content, nil
}

// blobName is the name that git gives to a file's content.
func blobName(content []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	_, _ = h.Write(content) // a hash never fails
	return hex.EncodeToString(h.Sum(nil))
}
