package runtime

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// ImageService answers the kubelet's questions about images: those that Images
// resolves are pulled in no time, all others do not exist. It is safe for
// concurrent use.
type ImageService struct {
	images *Images

	mu     sync.Mutex
	pulled map[string]Image // by ID
}

var _ internalapi.ImageManagerService = (*ImageService)(nil)

func newImageService(images *Images) *ImageService {
	return &ImageService{images: images, pulled: map[string]Image{}}
}

// of returns the image of a container: by the name that the pod gave it, or by
// the ID that PullImage returned.
func (s *ImageService) of(spec *runtimeapi.ImageSpec) (Image, error) {
	s.mu.Lock()
	image, known := s.pulled[spec.GetImage()]
	s.mu.Unlock()
	if known {
		return image, nil
	}
	ref := spec.GetUserSpecifiedImage()
	if ref == "" {
		ref = spec.GetImage()
	}
	image, err := s.images.Resolve(ref)
	if err != nil {
		return Image{}, status.Error(codes.NotFound, err.Error())
	}
	return image, nil
}

// PullImage returns the ID of the image, or NotFound.
func (s *ImageService) PullImage(_ context.Context, spec *runtimeapi.ImageSpec, _ *runtimeapi.AuthConfig, _ *runtimeapi.PodSandboxConfig) (string, error) {
	image, err := s.of(spec)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulled[image.ID()] = image
	return image.ID(), nil
}

// ImageStatus returns the image, or an empty answer where it is not known.
func (s *ImageService) ImageStatus(_ context.Context, spec *runtimeapi.ImageSpec, _ bool) (*runtimeapi.ImageStatusResponse, error) {
	image, err := s.of(spec)
	if err != nil {
		return &runtimeapi.ImageStatusResponse{}, nil
	}
	return &runtimeapi.ImageStatusResponse{Image: image.toCRI()}, nil
}

// ListImages returns the images that were pulled.
func (s *ImageService) ListImages(context.Context, *runtimeapi.ImageFilter) ([]*runtimeapi.Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*runtimeapi.Image, 0, len(s.pulled))
	for _, image := range s.pulled {
		list = append(list, image.toCRI())
	}
	return list, nil
}

// RemoveImage forgets that the image was pulled.
func (s *ImageService) RemoveImage(_ context.Context, spec *runtimeapi.ImageSpec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pulled, spec.GetImage())
	return nil
}

// ImageFsInfo reports the file system of the node's folder, with no space used:
// images take none here.
func (s *ImageService) ImageFsInfo(context.Context) (*runtimeapi.ImageFsInfoResponse, error) {
	usage := []*runtimeapi.FilesystemUsage{{
		Timestamp:  time.Now().UnixNano(),
		FsId:       &runtimeapi.FilesystemIdentifier{Mountpoint: "/"},
		UsedBytes:  &runtimeapi.UInt64Value{},
		InodesUsed: &runtimeapi.UInt64Value{},
	}}
	return &runtimeapi.ImageFsInfoResponse{ImageFilesystems: usage, ContainerFilesystems: usage}, nil
}

// Close does nothing: there is no connection.
func (s *ImageService) Close(context.Context) error { return nil }

func (i Image) toCRI() *runtimeapi.Image {
	return &runtimeapi.Image{
		Id:       i.ID(),
		RepoTags: []string{i.Ref},
		Size:     i.Size,
		Spec:     &runtimeapi.ImageSpec{Image: i.Ref, UserSpecifiedImage: i.Ref},
	}
}
