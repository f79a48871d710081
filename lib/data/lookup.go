package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// ErrUnavailable says that a data set's file can neither be found nor downloaded. Callers may skip what needs it.
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

	base string // in place of a file's address up to its name, for tests
}

// file is one file of a data set.
type file struct {
	set    string // its folder's name
	name   string
	url    string // of the folder, with the slash at its end
	sha256 string // of the content: unpacked, where the name ends in .gz and unpack is set
	unpack bool
	system []string // folders of the system's packages
}

func (o Options) dirs() []string {
	if o.Dirs != nil {
		return o.Dirs
	}
	return filepath.SplitList(os.Getenv("HINDSIGHT_DATA"))
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

// find returns a file's content, checked. Copies with another checksum are passed over, and named if none fits.
func (f file) find(ctx context.Context, o Options) ([]byte, error) {
	cache, err := o.cache()
	if err != nil {
		return nil, err
	}
	var places []string
	for _, dir := range o.dirs() {
		places = append(places, filepath.Join(dir, f.set, f.name), filepath.Join(dir, f.name))
	}
	cached := filepath.Join(cache, f.set, f.name)
	places = append(places, cached)
	for _, dir := range f.system {
		places = append(places, filepath.Join(dir, f.name))
	}
	var wrong []error
	for _, place := range places {
		content, err := f.read(place)
		if err == nil {
			return content, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			wrong = append(wrong, err)
		}
	}
	address := f.url + f.name
	if o.base != "" {
		address = o.base + f.name
	}
	if o.Offline {
		wrong = append(wrong, errors.New("downloads are switched off"))
	} else if err := download(ctx, address, cached, o.Progress, f.name); err != nil {
		wrong = append(wrong, err)
	} else if content, err := f.read(cached); err == nil {
		return content, nil
	} else {
		wrong = append(wrong, err)
		if err := os.Remove(cached); err != nil {
			wrong = append(wrong, err)
		}
	}
	return nil, fmt.Errorf("data: %s: %w: put %s from %s into %s, or name its folder in HINDSIGHT_DATA: %w",
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
	return content, nil
}

// download fetches address to path: into a file beside it first, going on where an earlier try stopped, then renamed.
func download(ctx context.Context, address, path string, progress func(string, int64, int64), name string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part, err := os.OpenFile(path+".part", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	if err := fetch(ctx, address, part, progress, name); err != nil {
		return fmt.Errorf("downloading %s: %w", address, err)
	}
	if err := part.Sync(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(path+".part", path)
}

// patience is how long a server may stay silent.
const patience = 30 * time.Second

// fetch appends what part lacks of the address's content.
func fetch(ctx context.Context, address string, part *os.File, progress func(string, int64, int64), name string) error {
	have, err := part.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := retryablehttp.NewClient() // proxies come from the environment, as everywhere in Go
	client.Logger = log.New(io.Discard, "", 0)
	client.RetryMax, client.RetryWaitMin, client.RetryWaitMax = 3, 200*time.Millisecond, 5*time.Second
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	silence := time.AfterFunc(patience, cancel)
	defer silence.Stop()
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK: // from the start, whatever was asked
		have = 0
		if err := part.Truncate(0); err != nil {
			return err
		}
	case http.StatusPartialContent:
	case http.StatusRequestedRangeNotSatisfiable: // nothing is missing; the checksum will tell
		return nil
	default:
		return fmt.Errorf("the server answered %s", response.Status)
	}
	total := int64(-1)
	if response.ContentLength >= 0 {
		total = have + response.ContentLength
	}
	buffer := make([]byte, 1<<16)
	for {
		n, err := response.Body.Read(buffer)
		silence.Reset(patience)
		if _, failed := part.Write(buffer[:n]); failed != nil {
			return failed
		}
		have += int64(n)
		if progress != nil {
			progress(name, have, total)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", have, err)
		}
	}
	if total >= 0 && have != total {
		return fmt.Errorf("%d of %d bytes came; try again to go on from there", have, total)
	}
	return nil
}
