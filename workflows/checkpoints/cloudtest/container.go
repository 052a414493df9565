//go:build !race

package cloudtest

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
)

// createContainer makes the one container that tests share.
func createContainer(address, key string) error {
	credential, err := azblob.NewSharedKeyCredential(azuriteAccount, key)
	if err != nil {
		return err
	}
	client, err := azblob.NewClientWithSharedKeyCredential(address+"/"+azuriteAccount, credential, nil)
	if err != nil {
		return err
	}
	_, err = client.CreateContainer(context.Background(), bucket, nil)
	return err
}
