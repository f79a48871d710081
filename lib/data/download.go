package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/hashicorp/go-retryablehttp"
)

// partSuffix ends the name of what has not come in full.
const partSuffix = ".part"

// download fetches address to path and returns what read makes of it. What has come is kept in a file beside path, from which a
// later try goes on; it takes its name only when its checksum is right. Of several that want the file at the same time,
// in this program or others, one fetches it and the others wait.
func download[T any](ctx context.Context, f file, address, path string, o Options, read func(f file, path string) (T, error)) (got T, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return got, err
	}
	lock := flock.New(filepath.Join(filepath.Dir(path), ".lock"))
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return got, fmt.Errorf("waiting for another download into %s: %w", filepath.Dir(path), err)
	}
	defer func() { _ = lock.Unlock() }()
	if got, err = read(f, path); err == nil {
		return got, nil // the other one has it
	}
	part := path + partSuffix
	if f.asked && f.sha256 == "" {
		if f.sha256, err = publishedSum(ctx, address); err != nil {
			return got, fmt.Errorf("asking for the checksum of %s: %w", address, err)
		}
	}
	if err := fetchTo(ctx, address, part, o); err != nil {
		return got, fmt.Errorf("downloading %s: %w", address, err)
	}
	if got, err = read(f, part); err != nil {
		return got, fmt.Errorf("downloading %s: %w", address, errors.Join(err, os.Remove(part)))
	}
	return got, os.Rename(part, path)
}

// fetchTo brings part up to the address's content. An error leaves what has come, for the next try, unless it is that
// the disk takes no more.
func fetchTo(ctx context.Context, address, part string, o Options) error {
	out, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	failed, unwritten := fetch(ctx, address, out, o)
	if failed == nil && unwritten == nil {
		if info, err := out.Stat(); err == nil && info.Mode().IsRegular() {
			unwritten = out.Sync()
		}
	}
	unwritten = errors.Join(unwritten, out.Close())
	if info, err := os.Stat(part); unwritten != nil || err == nil && info.Size() == 0 {
		unwritten = errors.Join(unwritten, os.Remove(part))
	}
	return errors.Join(failed, unwritten)
}

// fetch appends what out lacks of the address's content. It tells a server's failure from the disk's.
func fetch(ctx context.Context, address string, out *os.File, o Options) (failed, unwritten error) {
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	patience := o.patience
	if patience == 0 {
		patience = 30 * time.Second
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(patience, func() { cancel(fmt.Errorf("the server was silent for %v", patience)) })
	defer silence.Stop()
	response, err := get(ctx, address, have)
	if err != nil {
		return because(ctx, err), nil
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK: // from the start, whatever was asked
		if have > 0 {
			if err := out.Truncate(0); err != nil {
				return nil, err
			}
		}
		have = 0
	case http.StatusPartialContent:
		if from := response.Header.Get("Content-Range"); !strings.HasPrefix(from, fmt.Sprintf("bytes %d-", have)) {
			return fmt.Errorf("the server sent %q, asked were the bytes from %d on", from, have), nil
		}
	case http.StatusRequestedRangeNotSatisfiable: // nothing is missing; the checksum will tell
		return nil, nil
	default:
		return fmt.Errorf("the server answered %s", response.Status), nil
	}
	total := int64(-1)
	if response.ContentLength >= 0 {
		total = have + response.ContentLength
	}
	buffer := make([]byte, 1<<16)
	for {
		n, err := response.Body.Read(buffer)
		silence.Reset(patience)
		if _, err := out.Write(buffer[:n]); err != nil {
			return nil, err
		}
		have += int64(n)
		if o.Progress != nil {
			o.Progress(filepath.Base(strings.TrimSuffix(out.Name(), partSuffix)), have, total)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%d of %d bytes came; the next try goes on from there: %w", have, total, err), nil
		case err != nil:
			return fmt.Errorf("after %d bytes: %w", have, because(ctx, err)), nil
		}
	}
}

// get asks for the address's content from a byte on, a few times where the server is not reached or fails. Proxies come
// from the environment, as everywhere in Go.
func get(ctx context.Context, address string, from int64) (*http.Response, error) {
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	request.Header.Set("Accept-Encoding", "identity") // the file as it is, packed or not
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	return patient().Do(request)
}

// patient is a client that asks again where a server fails.
func patient() *retryablehttp.Client {
	client := retryablehttp.NewClient()
	client.Logger = log.New(io.Discard, "", 0)
	client.RetryMax, client.RetryWaitMin, client.RetryWaitMax = 3, 200*time.Millisecond, 5*time.Second
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler // the last answer says more than how often it came
	return client
}

// because is the reason that ended ctx, if one did, else err.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
