// What a cloud's hypervisors have, by the cloud's own API: java HypervisorStatistics HOST:PORT CLOUD REGION

import io.grpc.ManagedChannelBuilder;
import org.openstackoid.oaktree.Rest;
import org.openstackoid.oaktree.v1.Location;

class HypervisorStatistics {
  public static void main(String[] arguments) throws Exception {
    var channel = ManagedChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
    var place = Location.newBuilder().setCloud(arguments[1]).setRegion(arguments[2]).build();
    System.out.println(new Rest(channel, place, "compute").get("os-hypervisors/statistics").body());
    channel.shutdownNow();
  }
}
