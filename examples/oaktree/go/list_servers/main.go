// Lists every server of every cloud: list_servers HOST:PORT (without TLS, for an oaktree on this machine)
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"google.golang.org/grpc"

	oaktree "openstackoid.org/oaktree/v1"
)

func main() {
	connection, _ := grpc.Dial(os.Args[1], grpc.WithInsecure())
	answers, err := oaktree.NewComputeServiceClient(connection).ListServers(context.Background(), &oaktree.ListServersRequest{})
	for answer := (&oaktree.ListServersResponse{}); err == nil; answer, err = answers.Recv() {
		for _, server := range answer.Servers {
			fmt.Println(server.Location.Cloud, server.GetName(), server.GetStatus())
		}
		for _, result := range answer.GetSummary().GetResults() {
			if result.Error != nil {
				fmt.Fprintf(os.Stderr, "%s: %s\n", result.Location.Cloud, result.Error.Message)
			}
		}
	}
	if err != io.EOF {
		log.Fatal(err)
	}
}
