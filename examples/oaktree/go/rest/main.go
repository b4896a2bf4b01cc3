// What a cloud's hypervisors have, by the cloud's own API: rest HOST:PORT CLOUD REGION
package main

import (
	"io"
	"log"
	"os"

	"google.golang.org/grpc"

	"openstackoid.org/oaktree"
	v1 "openstackoid.org/oaktree/v1"
)

func main() {
	connection, _ := grpc.Dial(os.Args[1], grpc.WithInsecure())
	compute := oaktree.Rest(connection, &v1.Location{Cloud: os.Args[2], Region: os.Args[3]}, "compute")
	answer, err := compute.Get("os-hypervisors/statistics")
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(os.Stdout, answer.Body)
}
