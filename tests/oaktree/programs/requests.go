package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"openstackoid.org/oaktree"
	v1 "openstackoid.org/oaktree/v1"
)

func main() {
	connection, _ := grpc.Dial(os.Args[1], grpc.WithInsecure())
	compute := oaktree.Rest(connection, &v1.Location{Cloud: "one"}, "compute")
	ctx := metadata.AppendToOutgoingContext(context.Background(), "x-oaktree-token", os.Getenv("OAKTREE_TOKEN"))
	for i := 2; i < len(os.Args); i += 2 {
		request, err := http.NewRequestWithContext(ctx, os.Args[i], os.Args[i+1], nil)
		if err != nil {
			panic(err)
		}
		request.Header.Set("X-Mine", "kept")
		request.Header.Set("Cookie", "mine")
		answer, err := compute.Do(request)
		if err != nil {
			fmt.Println("error:", err)
		} else {
			fmt.Println(answer.StatusCode)
			answer.Body.Close()
		}
	}
}
