package checkpoints

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	giveUpLimit = 5 * time.Second // to look for unfinished uploads
	leastPart   = 5 << 20         // S3 takes no smaller ones, but for the last: nothing of this size goes up in parts
)

// giveUp removes what S3 has of uploads in parts whose keys begin so and which
// nobody will complete: a worker was killed, or its time was over. Nobody else
// would remove them, and a part may hold a noise key. Where the credentials do
// not allow it, or a store like S3 has no such request, a rule of the bucket has
// to; see docs/cluster.md.
func (s *Store) giveUp(ctx context.Context, prefix string) {
	var client *s3.Client
	if !s.bucket.As(&client) {
		return // other clouds forget such parts by themselves
	}
	ctx, cancel := context.WithTimeout(ctx, giveUpLimit)
	defer cancel()
	prefix = s.prefix + prefix
	pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{Bucket: &s.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return
		}
		for _, u := range page.Uploads {
			_, _ = client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.name, Key: u.Key, UploadId: u.UploadId})
		}
	}
}
