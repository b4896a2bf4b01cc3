import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import org.openstackoid.oaktree.Rest;
import org.openstackoid.oaktree.v1.CloudServiceGrpc;
import org.openstackoid.oaktree.v1.Location;

class Requests {
  public static void main(String[] arguments) {
    var channel = ManagedChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
    var credentials = new Metadata();
    credentials.put(Metadata.Key.of("x-oaktree-token", Metadata.ASCII_STRING_MARSHALLER), System.getenv("OAKTREE_TOKEN"));
    var clouds = CloudServiceGrpc.newBlockingStub(channel).withInterceptors(MetadataUtils.newAttachHeadersInterceptor(credentials));
    var compute = new Rest(clouds, Location.newBuilder().setCloud("one").build(), "compute");
    for (int i = 1; i < arguments.length; i += 2) {
      var request = HttpRequest.newBuilder().method(arguments[i], HttpRequest.BodyPublishers.noBody());
      request.header("X-Mine", "kept").header("Cookie", "mine");
      try {
        System.out.println(compute.send(arguments[i + 1], request, BodyHandlers.discarding()).statusCode());
      } catch (Exception error) {
        System.out.println("error: " + error.getMessage());
      }
    }
    channel.shutdownNow();
  }
}
