package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Image is one image reference, resolved to the executable that stands for it.
type Image struct {
	// Ref is the reference as the pod names it.
	Ref string
	// Tag is what follows the last colon, or "latest", or the digest.
	Tag string
	// Binary is the absolute path of the executable.
	Binary string
	// Size is that of the executable in bytes.
	Size uint64
}

// ID returns the identity of the image: the same reference has the same one.
func (i Image) ID() string {
	sum := sha256.Sum256([]byte(i.Ref))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Images maps the names of images to executables on this machine.
type Images struct {
	binaries map[string]binary
}

// binary is an executable file.
type binary struct {
	path string
	size uint64
}

// NewImages reads mappings of the form PREFIX=BINARY. PREFIX is an image's name
// without tag, or the folder of a registry; BINARY must be an executable file.
func NewImages(mappings []string) (*Images, error) {
	images := &Images{binaries: map[string]binary{}}
	for _, mapping := range mappings {
		prefix, file, found := strings.Cut(mapping, "=")
		if !found || prefix == "" || file == "" {
			return nil, fmt.Errorf("reading --image %q: want PREFIX=BINARY", mapping)
		}
		path, err := filepath.Abs(file)
		if err != nil {
			return nil, fmt.Errorf("reading --image %q: %w", mapping, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("reading --image %q: %w", mapping, err)
		}
		if info.IsDir() || info.Mode()&0o111 == 0 {
			return nil, fmt.Errorf("reading --image %q: %s is not an executable file", mapping, path)
		}
		images.binaries[strings.TrimSuffix(prefix, "/")] = binary{path: path, size: uint64(info.Size())}
	}
	return images, nil
}

// Resolve finds the executable of the image ref: the longest prefix that ends
// at a slash or at the whole name wins. It fails when no prefix matches.
func (i *Images) Resolve(ref string) (Image, error) {
	name, tag := SplitReference(ref)
	for prefix := name; prefix != ""; {
		if b, ok := i.binaries[prefix]; ok {
			return Image{Ref: ref, Tag: tag, Binary: b.path, Size: b.size}, nil
		}
		slash := strings.LastIndexByte(prefix, '/')
		if slash < 0 {
			break
		}
		prefix = prefix[:slash]
	}
	return Image{}, fmt.Errorf("pulling image %q: not found; this node knows only the images of its --image flags", ref)
}

// SplitReference splits an image reference into its name and its tag. Without a
// tag the tag is the digest, and without both it is "latest".
func SplitReference(ref string) (name, tag string) {
	name, digest, _ := strings.Cut(ref, "@")
	// A colon before the last slash belongs to the registry's port.
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		return name[:colon], name[colon+1:]
	}
	if digest != "" {
		return name, digest
	}
	return name, "latest"
}
