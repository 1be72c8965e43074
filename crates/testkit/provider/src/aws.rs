//! A few types of `hashicorp/aws` with the attributes that policies and cost tables read.

use crate::kind::{
    Computed, Kind, computed, defaulted, flag, labels, number, optional, required, text, texts,
};

pub fn kinds() -> Vec<Kind> {
    vec![
        instance(),
        s3_bucket(),
        ebs_volume(),
        db_instance(),
        security_group(),
        nat_gateway(),
        load_balancer(),
    ]
}

fn instance() -> Kind {
    Kind::new("aws_instance", "i-")
        .with([
            computed(
                "arn",
                Computed::WithId("arn:aws:ec2:us-east-1:000000000000:instance/"),
            ),
            defaulted("ami", text()).replaces(),
            defaulted("instance_type", text()),
            defaulted("subnet_id", text()).replaces(),
            defaulted("key_name", text()).replaces(),
            defaulted("availability_zone", text()).replaces(),
            defaulted("iam_instance_profile", text()),
            defaulted("vpc_security_group_ids", texts()),
            optional("user_data", text()),
            defaulted("ebs_optimized", flag()),
            defaulted("monitoring", flag()),
            computed("private_ip", Computed::Address("10.0.0.")),
            computed("public_ip", Computed::Address("203.0.113.")),
            optional("tags", labels()),
            defaulted("tags_all", labels()),
        ])
        .block(
            "root_block_device",
            vec![
                optional("volume_size", number()),
                optional("volume_type", text()),
                optional("encrypted", flag()),
                optional("delete_on_termination", flag()),
            ],
        )
        .block(
            "ebs_block_device",
            vec![
                required("device_name", text()),
                optional("volume_size", number()),
                optional("volume_type", text()),
                optional("encrypted", flag()),
                optional("delete_on_termination", flag()),
            ],
        )
}

fn s3_bucket() -> Kind {
    Kind::new("aws_s3_bucket", "bucket-")
        .with([
            computed("arn", Computed::WithId("arn:aws:s3:::")),
            defaulted("bucket", text()).replaces(),
            optional("acl", text()),
            optional("force_destroy", flag()),
            defaulted("region", text()),
            optional("tags", labels()),
            defaulted("tags_all", labels()),
        ])
        .block("versioning", vec![optional("enabled", flag())])
}

fn ebs_volume() -> Kind {
    Kind::new("aws_ebs_volume", "vol-").with([
        computed(
            "arn",
            Computed::WithId("arn:aws:ec2:us-east-1:000000000000:volume/"),
        ),
        required("availability_zone", text()).replaces(),
        defaulted("size", number()),
        defaulted("type", text()),
        defaulted("iops", number()),
        defaulted("encrypted", flag()).replaces(),
        optional("tags", labels()),
    ])
}

fn db_instance() -> Kind {
    Kind::new("aws_db_instance", "db-").with([
        computed(
            "arn",
            Computed::WithId("arn:aws:rds:us-east-1:000000000000:db:"),
        ),
        defaulted("engine", text()).replaces(),
        defaulted("engine_version", text()),
        required("instance_class", text()),
        defaulted("allocated_storage", number()),
        defaulted("storage_type", text()),
        defaulted("multi_az", flag()),
        defaulted("username", text()).replaces(),
        optional("password", text()).sensitive(),
        defaulted("db_subnet_group_name", text()),
        computed("endpoint", Computed::Random("db.example.test:")),
        optional("tags", labels()),
    ])
}

fn security_group() -> Kind {
    let rules = || {
        vec![
            required("from_port", number()),
            required("to_port", number()),
            required("protocol", text()),
            optional("cidr_blocks", texts()),
            optional("description", text()),
        ]
    };
    Kind::new("aws_security_group", "sg-")
        .with([
            defaulted("name", text()).replaces(),
            optional("description", text()).replaces(),
            defaulted("vpc_id", text()).replaces(),
            optional("tags", labels()),
        ])
        .block("ingress", rules())
        .block("egress", rules())
}

fn nat_gateway() -> Kind {
    Kind::new("aws_nat_gateway", "nat-").with([
        required("subnet_id", text()).replaces(),
        optional("allocation_id", text()).replaces(),
        optional("tags", labels()),
    ])
}

fn load_balancer() -> Kind {
    Kind::new("aws_lb", "lb-").with([
        defaulted("name", text()).replaces(),
        defaulted("internal", flag()).replaces(),
        defaulted("load_balancer_type", text()).replaces(),
        defaulted("subnets", texts()),
        computed("dns_name", Computed::Random("lb.example.test/")),
        optional("tags", labels()),
    ])
}
