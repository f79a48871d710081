package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-retryablehttp"
)

// LargeFile is a file of a data set that stays on the disk, such as a shard of a corpus.
type LargeFile struct {
	Set    string // the data set: the name of its folder
	Name   string
	URL    string // of the folder, with the slash at its end
	SHA256 string // of the content, in hexadecimal; "": the server is asked, see Find
}

// Find looks the file up as all data is, see the package's comment, downloads it where it is nowhere, and returns its
// path. Without a SHA256 of its own, what is downloaded must have the one that the server names: Hugging Face's hub does,
// in the header X-Linked-Etag, so with a URL of a fixed commit the content is as fixed as the commit; a server that names
// none is believed. A copy that is found is then taken as it is.
func (f LargeFile) Find(ctx context.Context, o Options) (path string, err error) {
	path, err = find(ctx, file{set: f.Set, name: f.Name, url: f.URL, sha256: f.SHA256, asked: true}, o, file.check)
	return strings.TrimSuffix(path, partSuffix), err
}

// check is read for a file that stays where it is: it returns the path where the checksum is right.
func (f file) check(path string) (string, error) {
	content, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = content.Close() }() // it was only read
	if info, err := content.Stat(); err != nil || f.sha256 == "" {
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is no file", path)
		}
		return path, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return "", err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != f.sha256 {
		return "", fmt.Errorf("%s has the SHA-256 %s, must have %s", path, sum, f.sha256)
	}
	return path, nil
}

// publishedSum is the SHA-256 that the server names for an address, or nothing where it names none. It is in the first
// answer, before the hub sends on to where the content is.
func publishedSum(ctx context.Context, address string) (string, error) {
	client := patient()
	client.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	_ = response.Body.Close()
	sum := strings.Trim(strings.TrimPrefix(response.Header.Get("X-Linked-Etag"), "W/"), `"`)
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size {
		return "", nil
	}
	return strings.ToLower(sum), nil
}

// folder returns the first folder of that name in the folders named in HINDSIGHT_DATA and in the cache, or an error that
// wraps [ErrUnavailable] and says where it was looked for.
func (o Options) folder(name string) (string, error) {
	places := o.dirs()
	if cache, err := o.cache(); err == nil {
		places = append(places, cache)
	}
	var tried []string
	for _, dir := range places {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path, nil
		}
		tried = append(tried, path)
	}
	return "", fmt.Errorf("%w: there is no %s", ErrUnavailable, strings.Join(tried, ", nor "))
}
